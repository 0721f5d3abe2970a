/** What a streaming run has yielded and still keeps, counted from 0. */
export interface Yields {
  /** Number of the oldest message that is kept; those before are gone. */
  first: number;
  readonly messages: Uint8Array[];
  /** Of all of them. */
  sizeBytes: number;
}

/** How many are kept, and how many bytes of them; 0: any number. */
export interface YieldLimits {
  readonly messagesMax: number;
  readonly bytesMax: number;
}

/** What has been kept before, the oldest one's number first. */
export function toYields(first: number, messages: readonly Uint8Array[]): Yields {
  return { first, messages: [...messages], sizeBytes: messages.reduce((sum, { length }) => sum + length, 0) };
}

/** Keeps one more message and forgets the oldest ones that are too much; the last one always stays. Gives its number. */
export function keepYield(yields: Yields, message: Uint8Array, { messagesMax, bytesMax }: YieldLimits): number {
  const { messages } = yields;
  const number = yields.first + messages.length;
  messages.push(message);
  yields.sizeBytes += message.length;
  while (messages.length > 1) {
    const isTooMany = messagesMax > 0 && messages.length > messagesMax;
    const isTooLarge = bytesMax > 0 && yields.sizeBytes > bytesMax;
    if (!isTooMany && !isTooLarge) break;
    yields.sizeBytes -= messages.shift()?.length ?? 0;
    yields.first += 1;
  }
  return number;
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
