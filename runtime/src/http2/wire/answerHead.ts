import { isField, malformed } from "./fieldForm.ts";
import type { Decoded } from "./hpackDecoder.ts";

/** What a block of headers of a server says. */
export type AnswerHead =
  | {
      readonly kind: "head";
      /** 200, 404, 100 …; undefined in trailers. */
      readonly status: number | undefined;
      /** Without `:status`; of several values of a name the first. */
      readonly fields: ReadonlyMap<string, string>;
    }
  | { readonly kind: "malformed"; readonly message: string }
  | { readonly kind: "tooLarge" };

/** Headers or trailers of an answer (RFC 9113, sections 8.2 and 8.3). */
export function toAnswerHead({ fields, isTooLarge }: Decoded): AnswerHead {
  if (isTooLarge) return { kind: "tooLarge" };
  let status: number | undefined;
  const rest = new Map<string, string>();
  for (const field of fields) {
    const [name, value] = field;
    if (name.startsWith(":")) {
      if (name !== ":status" || status !== undefined || rest.size > 0 || !/^[1-5]\d\d$/.test(value))
        return malformed(field);
      status = Number(value);
    } else {
      if (!isField(field)) return malformed(field);
      if (!rest.has(name)) rest.set(name, value);
    }
  }
  return { kind: "head", status, fields: rest };
}
