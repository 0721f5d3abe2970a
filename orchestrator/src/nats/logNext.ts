import { createInbox, nuid } from "@nats-io/transport-node";
import type { Msg } from "@nats-io/transport-node";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import type { LogMessage } from "../processor/ports.ts";
import { askJetStream, JetStreamFailure } from "./jetstream.ts";
import { makeConsumer, parsePlace } from "./logReader.ts";

/** What one pull brings at most, lest the server drops a reader that is too slow. */
const bytesMax = 4 * 1024 * 1024;
const answerMaxMs = 5000;

/**
 * The next messages of a log from a position on, at most so many; none: that is its end. By a consumer without filter, as a reader has it, which is
 * gone afterwards. None is left out: one that got lost on the way is missed by the next one's number. Throws JetStreamFailure.
 */
export async function readNext(
  nats: Nats,
  stream: string,
  from: number,
  count: number,
): Promise<readonly LogMessage[]> {
  const name = `next${nuid.next()}`;
  const { num_pending: pending = 0 } = await makeConsumer(nats, stream, name, from);
  try {
    if (pending === 0) return [];
    const found = await pull(nats, stream, name, { batch: Math.min(pending, count), max_bytes: bytesMax });
    // The very first is larger than that.
    return found.length > 0 ? found : await pull(nats, stream, name, { batch: 1 });
  } finally {
    await askJetStream(nats.connection, `CONSUMER.DELETE.${stream}.${name}`, undefined).catch(() => undefined);
  }
}

/** What is there now: a status other than a heartbeat's says that no more comes. */
async function pull(
  { connection }: Nats,
  stream: string,
  name: string,
  request: { readonly batch: number; readonly max_bytes?: number },
): Promise<readonly LogMessage[]> {
  const messages: LogMessage[] = [];
  const done = Promise.withResolvers<void>();
  const take = (message: Msg): void => {
    const place = parsePlace(message.reply);
    if (place === undefined) return done.resolve();
    const { sequence, delivered, storedMs } = place;
    if (delivered !== messages.length + 1) {
      done.reject(new JetStreamFailure(`a message of ${stream} before ${sequence} got lost on the way`, 0, true));
      return;
    }
    messages.push({ sequence, storedMs, subject: message.subject, data: message.data.slice() });
    if (messages.length === request.batch) done.resolve();
  };
  const timer = setTimeout(
    () => done.reject(new JetStreamFailure(`NATS did not answer a pull from ${stream}`, 408, true)),
    answerMaxMs,
  );
  const subscription = connection.subscribe(createInbox(), {
    callback: (error, message) => (error === null ? take(message) : done.reject(error)),
  });
  try {
    const reply = subscription.getSubject();
    connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`, JSON.stringify({ ...request, no_wait: true }), {
      reply,
    });
    await done.promise;
    return messages;
  } finally {
    clearTimeout(timer);
    if (!connection.isClosed()) subscription.unsubscribe();
  }
}
