import { code } from "../../../proto/wire/status.ts";
import { keyBytesMax } from "../processor/inbound.ts";
import type { Failure } from "./failure.ts";

/** Bytes that texts of callers may have at the front door; docs/limits.md lists them. Fixed: a log keeps them for ever. */
export const lengthsMax = {
  /** Keys, and what the idempotency-key header or a signal's id says. */
  key: keyBytesMax,
  "step path": 1_024,
  reason: 4_096,
  comment: 4_096,
  name: 512,
  /** Who decides. */
  by: 512,
  /** All headers of the caller that a run keeps, names included. */
  metadata: 8_192,
} as const;

export type LengthName = keyof typeof lengthsMax;

/** The first text that is too long, as what its caller is told; undefined: all fit. */
export function tooLong(given: Readonly<Partial<Record<LengthName, string>>>): Failure | undefined {
  for (const [name, text] of Object.entries(given)) {
    const found = lengthFailure(name, Buffer.byteLength(text));
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The same of a length that is known. */
export function lengthFailure(name: string, length: number): Failure | undefined {
  const max = isLengthName(name) ? lengthsMax[name] : Infinity;
  if (length <= max) return undefined;
  return {
    code: code.INVALID_ARGUMENT,
    message: `the ${name} has ${length} bytes, at most ${max} are taken`,
    reason: "TOO_LONG",
    metadata: { limit: name, length: String(length), max: String(max) },
  };
}

function isLengthName(name: string): name is LengthName {
  return name in lengthsMax;
}
