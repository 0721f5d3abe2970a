import { typeHeader } from "../../../proto/wire/headers.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { growingPause, pause } from "../../../runtime/src/pause.ts";
import { headerLine, messageIdLine } from "../../../runtime/src/publisher.ts";
import type { Published, Publisher } from "../../../runtime/src/publisher.ts";
import type { Messages, OwnMessage, WriteLimits, Written } from "../processor/ports.ts";
import { askJetStream, JetStreamFailure } from "./jetstream.ts";

const pauseFirstMs = 100;
const pauseMaxMs = 5000;

/** The streams of the user's, found by subject. Nothing goes to subjects of ours or of the server's, where it could do harm. */
export function toMessages(nats: Nats, names: Names, publisher: Publisher): Messages {
  return {
    publish: async (message, limits) => {
      const reason = refusalOf(names, message.subject);
      if (reason !== undefined) return { kind: "rejected", reason };
      return publishUntilKnown(nats, publisher, message, limits);
    },
  };
}

function refusalOf(names: Names, subject: string): string | undefined {
  if (!/^[^\s.*>]+(\.[^\s.*>]+)*$/.test(subject)) return `'${subject}' is no subject to publish to`;
  if (subject.startsWith("$") || subject.startsWith("_INBOX.")) return `'${subject}' belongs to the NATS server`;
  if (names.isOwn(subject)) return `'${subject}' belongs to Sidestep`;
  return undefined;
}

async function publishUntilKnown(
  nats: Nats,
  publisher: Publisher,
  { subject, type, id, headers, data }: OwnMessage,
  { signal, deferAfterMs = Infinity }: WriteLimits,
): Promise<Written> {
  const lines =
    headers.map(([name, value]) => headerLine(name, value)).join("") +
    headerLine("content-type", "application/protobuf") +
    headerLine(typeHeader, type) +
    messageIdLine(id);
  const startedMs = performance.now();
  const nextPauseMs = growingPause(pauseFirstMs, pauseMaxMs);
  while (!signal.aborted) {
    const published = await publisher.publish(subject, data, lines);
    switch (published.kind) {
      case "stored":
        return { kind: "stored", sequence: published.sequence };
      case "permanent":
      case "conflict":
        return { kind: "rejected", reason: published.message };
      case "retryable":
        if (await isNobodys(nats, subject, published))
          return { kind: "rejected", reason: `no stream has the subject ${subject}` };
        if (performance.now() - startedMs > deferAfterMs) return { kind: "deferred", reason: published.message };
        await pause(nextPauseMs(), signal);
    }
  }
  return { kind: "abandoned" };
}

/** Nobody acknowledged it: is a stream's leader away, or is there no such stream? */
async function isNobodys(nats: Nats, subject: string, { code }: Extract<Published, { readonly kind: "retryable" }>) {
  if (code !== 503 && code !== 408) return false;
  try {
    const { streams } = await askJetStream(nats.connection, "STREAM.NAMES", { subject });
    return (streams ?? []).length === 0;
  } catch (error) {
    if (error instanceof JetStreamFailure) return false;
    throw error;
  }
}
