/** What a streaming run has yielded and still keeps, counted from 0. */
export interface Yields {
  /** Number of the oldest message that is kept; those before are gone. */
  first: number;
  readonly messages: Uint8Array[];
}

/** Messages from a number on, at least one and, beyond it, at most so many bytes; older ones may be gone. Undefined: there are none. */
export function yieldedFrom(
  yields: Yields,
  from: number,
  bytesMax: number,
): { readonly first: number; readonly messages: Uint8Array[] } | undefined {
  const first = Math.max(from, yields.first);
  const messages: Uint8Array[] = [];
  let bytes = 0;
  for (let index = first - yields.first; index < yields.messages.length; index++) {
    const message = yields.messages[index];
    if (message === undefined) break;
    bytes += message.length;
    if (messages.length > 0 && bytes > bytesMax) break;
    messages.push(message);
  }
  return messages.length === 0 ? undefined : { first, messages };
}
