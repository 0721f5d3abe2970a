/** What JetStream says about a delivered message in its acknowledgement subject. */
export type DeliveryFacts = {
  /** 1 for the first delivery; forgotten by the server at its restart. */
  readonly delivery: number;
  readonly streamSequence: number;
  /** When the stream stored the message, by the server's clock. */
  readonly storedAtMs: number;
};

/**
 * Reads "$JS.ACK.<stream>.<consumer>.<delivery>.<stream seq>.<consumer seq>.<ns>.<pending>", and its longer form with domain and
 * account. Undefined for anything else.
 */
export function parseAckSubject(subject: string): DeliveryFacts | undefined {
  if (!subject.startsWith(ackPrefix)) return undefined;
  let dots = 0;
  for (let at = subject.indexOf("."); at >= 0; at = subject.indexOf(".", at + 1)) dots += 1;
  if (dots < 8) return undefined;
  // Behind stream and consumer, or behind domain, account, stream and consumer.
  let from = ackPrefix.length;
  for (let skipped = dots === 8 ? 2 : 4; skipped > 0; skipped -= 1) from = subject.indexOf(".", from) + 1;
  const deliveryEnd = subject.indexOf(".", from);
  const sequenceEnd = subject.indexOf(".", deliveryEnd + 1);
  const storedAt = subject.indexOf(".", sequenceEnd + 1) + 1;
  const delivery = Number(subject.slice(from, deliveryEnd));
  const streamSequence = Number(subject.slice(deliveryEnd + 1, sequenceEnd));
  const storedAtMs = Number(subject.slice(storedAt, subject.indexOf(".", storedAt))) / 1e6;
  const isWhole = Number.isInteger(delivery) && Number.isInteger(streamSequence) && Number.isFinite(storedAtMs);
  return isWhole ? { delivery, streamSequence, storedAtMs } : undefined;
}

const ackPrefix = "$JS.ACK.";
