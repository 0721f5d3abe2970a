const form = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})/;
const sampled = 1;

/** The trace of a call by its headers, when somebody keeps it: W3C Trace Context, traceparent. */
export function traceIdOf(
  headers: readonly { readonly key: string; readonly value: Uint8Array }[],
): string | undefined {
  const header = headers.find(({ key }) => key === "traceparent");
  const [, traceId, flags = ""] = header === undefined ? [] : (form.exec(String.fromCharCode(...header.value)) ?? []);
  return (Number.parseInt(flags, 16) & sampled) === sampled ? traceId : undefined;
}
