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
  const tokens = subject.split(".");
  if (tokens[0] !== "$JS" || tokens[1] !== "ACK" || tokens.length < 9) return undefined;
  const from = tokens.length === 9 ? 4 : 6;
  const delivery = Number(tokens[from]);
  const streamSequence = Number(tokens[from + 1]);
  const storedAtMs = Number(tokens[from + 3]) / 1e6;
  const isWhole = Number.isInteger(delivery) && Number.isInteger(streamSequence) && Number.isFinite(storedAtMs);
  return isWhole ? { delivery, streamSequence, storedAtMs } : undefined;
}
