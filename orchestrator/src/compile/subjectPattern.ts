/** Why a text can't be what a trigger listens to; `offset` is where in it. Undefined when it can. */
export function whyNotAPattern(
  pattern: string,
): { readonly message: string; readonly hint: string; readonly offset: number } | undefined {
  const form = 'parts with dots between them: "orders.placed", "orders.*.placed", "orders.>"';
  if (pattern.length > lengthMax) {
    const message = `the pattern has ${pattern.length} characters, the limit is ${lengthMax}`;
    return { message, hint: "shorten it", offset: lengthMax };
  }
  const strange = pattern.search(/[^\u0021-\u007e]/);
  if (strange >= 0) return { message: "a subject has visible ASCII characters only", hint: form, offset: strange };
  let offset = 0;
  const parts = pattern.split(".");
  for (const [index, part] of parts.entries()) {
    if (part === "") return { message: `'${pattern}' is no subject: a part of it is empty`, hint: form, offset };
    if (part.length > 1 && /[*>]/.test(part)) {
      const hint = "a wildcard is a part of its own: * for one, > for all that follow";
      return { message: `'${part}' mixes a wildcard with other characters`, hint, offset };
    }
    if (part === ">" && index < parts.length - 1) {
      return { message: "> stands for all that follows: it comes last", hint: "write * for one part", offset };
    }
    offset += part.length + 1;
  }
  const [first = ""] = parts;
  if (first === "*" || first === ">") {
    const message = `'${pattern}' takes in subjects of Sidestep and of NATS itself`;
    return { message, hint: "begin it with a name of your own", offset: 0 };
  }
  if (first === "sidestep" || /^[$_]/.test(first)) {
    const hint = "begin it with a name of your own: not with sidestep, $ or _";
    return { message: `'${pattern}' belongs to Sidestep or to NATS itself`, hint, offset: 0 };
  }
  return undefined;
}

const lengthMax = 1024;
