/** version "-" trace id "-" parent id "-" flags: what is behind the flags belongs to later versions. */
const flagsAt = 53;
const lengthMin = 55;
const form = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/;

/** The trace of a call by its headers, when somebody keeps it: W3C Trace Context, traceparent. */
export function traceIdOf(
  headers: readonly { readonly key: string; readonly value: Uint8Array }[],
): string | undefined {
  const value = headers.find(({ key }) => key === "traceparent")?.value;
  if (value === undefined || value.length < lengthMin || !isSampled(value[flagsAt + 1] ?? 0)) return undefined;
  return form.exec(String.fromCharCode(...value.subarray(0, lengthMin)))?.[1];
}

/** By the last digit of the flags: most traces are not kept, and are told from the others by one byte. */
function isSampled(digit: number): boolean {
  const hex = digit >= 0x61 ? digit - 0x57 : digit - 0x30;
  return (hex & 1) === 1;
}
