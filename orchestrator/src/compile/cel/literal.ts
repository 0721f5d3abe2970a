import type { Constant } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import type { Issue } from "./issue.ts";
import type { Token } from "./token.ts";

type Kind = Constant["constantKind"];

const intMax = 0x7fff_ffff_ffff_ffffn;
const uintMax = 0xffff_ffff_ffff_ffffn;

/** The value of a number that stands in the text, `sign` being the minus right before it; an issue when no type of number holds it. */
export function numberValue(token: Token, sign: Token | undefined): Kind | Issue {
  const { text } = token;
  if (text.startsWith("0x") ? /u$/i.test(text) : /^\d+[uU]$/.test(text)) {
    const value = BigInt(text.slice(0, -1));
    return value <= uintMax ? { case: "uint64Value", value } : outOfRange(token, sign, `0 to ${uintMax}`, "uint");
  }
  if (/^(0x[0-9a-fA-F]+|\d+)$/.test(text)) {
    const value = sign === undefined ? BigInt(text) : -BigInt(text);
    const isInt = value <= intMax && value >= -intMax - 1n;
    return isInt ? { case: "int64Value", value } : outOfRange(token, sign, `${-intMax - 1n} to ${intMax}`, "int");
  }
  const value = (sign === undefined ? 1 : -1) * Number(text);
  return Number.isFinite(value)
    ? { case: "doubleValue", value }
    : outOfRange(token, sign, `-${Number.MAX_VALUE} to ${Number.MAX_VALUE}`, "double");
}

function outOfRange(token: Token, sign: Token | undefined, range: string, type: string): Issue {
  const start = sign?.start ?? token.start;
  return {
    code: "CEL_CONSTANT",
    message: `${sign?.text ?? ""}${token.text} does not fit ${type}`,
    hint: `${type} goes from ${range}`,
    offset: start,
    length: token.end - start,
  };
}

/** The value of a text: a string, or bytes when b stands before it; its escapes are known to be right. */
export function textValue(token: Token): Kind {
  const [, prefix = "", mark = '"'] = /^([a-zA-Z]*)("""|'''|"|')/.exec(token.text) ?? [];
  const body = token.text.slice(prefix.length + mark.length, -mark.length);
  const isRaw = /r/i.test(prefix);
  return /b/i.test(prefix)
    ? { case: "bytesValue", value: isRaw ? encoder.encode(body) : unescapedBytes(body) }
    : { case: "stringValue", value: isRaw ? body : unescaped(body) };
}

const encoder = new TextEncoder();
const escapes = /\\(?:[xX]([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|([\s\S]))/g;

const characterOf: Readonly<Record<string, string>> = {
  a: "\u0007",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

function unescaped(body: string): string {
  return body.replace(escapes, (_all, hex = "", short = "", long = "", octal = "", plain = "") => {
    if (plain !== "") return characterOf[plain] ?? plain;
    return String.fromCodePoint(octal === "" ? Number.parseInt(hex + short + long, 16) : Number.parseInt(octal, 8));
  });
}

/** In bytes \x and octal escapes are single bytes; everything else is its UTF-8. */
function unescapedBytes(body: string): Uint8Array {
  const bytes: number[] = [];
  let last = 0;
  for (const match of body.matchAll(escapes)) {
    const [whole, hex, , , octal] = match;
    bytes.push(...encoder.encode(body.slice(last, match.index)));
    if (hex !== undefined) bytes.push(Number.parseInt(hex, 16));
    else if (octal !== undefined) bytes.push(Number.parseInt(octal, 8));
    else bytes.push(...encoder.encode(unescaped(whole)));
    last = match.index + whole.length;
  }
  bytes.push(...encoder.encode(body.slice(last)));
  return Uint8Array.from(bytes);
}
