import { createInbox } from "@nats-io/transport-node";
import type { Msg } from "@nats-io/transport-node";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import type { LogMessage } from "../processor/ports.ts";
import { JetStreamFailure } from "./jetstream.ts";

/** Reads all messages of one literal subject, 0.15 ms each; any replica may answer, so what it gives is to be proven complete. */
export interface DirectGets extends Disposable {
  read(stream: string, subject: string, from: number): Promise<readonly LogMessage[]>;
  /** The first so many, at most `batchMax`; fewer, with others pending, where they are too large for one answer. The server looks for no other. */
  readFirst(stream: string, subject: string, count: number): Promise<FirstMessages>;
}

export interface FirstMessages {
  readonly messages: readonly LogMessage[];
  /** How many the subject has behind them. */
  readonly pending: number;
}

/** Messages that are read in one request. */
export const batchMax = 1000;
/** Bytes of them, but for the last one. Without that nats-server puts as much on its way as makes it drop the connection, by default 64 MB. */
const bytesMax = 1024 * 1024;

interface Open {
  readonly messages: LogMessage[];
  pending: number;
  readonly resolve: (isOver: boolean) => void;
  readonly reject: (error: JetStreamFailure) => void;
  readonly timer: NodeJS.Timeout;
}

const timeoutMs = 5000;

/** Opens direct gets over one subscription for all of them. */
export function openDirectGets(nats: Nats): DirectGets {
  const inbox = `${createInbox()}.`;
  const open = new Map<string, Open>();
  let next = 0;
  const close = (token: string): Open | undefined => {
    const entry = open.get(token);
    open.delete(token);
    clearTimeout(entry?.timer);
    return entry;
  };
  const fail = (token: string, code: number, message: string): void =>
    close(token)?.reject(new JetStreamFailure(message, code, true));
  const subscription = nats.connection.subscribe(`${inbox}*`, {
    callback: (error, message) => {
      if (error !== null) return;
      const token = message.subject.slice(inbox.length);
      const code = message.headers?.code ?? 0;
      // 204: the end of a batch; 404: nothing matched.
      if (code === 204 || code === 404) close(token)?.resolve(true);
      else if (code !== 0) fail(token, code, `The direct get was refused with status ${code}.`);
      else collect(open.get(token), message);
    },
  });
  const stopListening = nats.onDisconnect(() => {
    for (const token of open.keys()) fail(token, 0, "The connection to NATS was lost during a direct get.");
  });
  const readBatch = (stream: string, subject: string, from: number, batch: number): Promise<Open> => {
    const token = (next++).toString(36);
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => fail(token, 408, "The direct get was not answered in time."), timeoutMs);
    const entry: Open = { messages: [], pending: 0, resolve, reject, timer };
    open.set(token, entry);
    const request = JSON.stringify({ seq: Math.max(from, 1), batch, max_bytes: bytesMax, next_by_subj: subject });
    try {
      nats.connection.publish(`$JS.API.DIRECT.GET.${stream}`, request, { reply: inbox + token });
    } catch (error) {
      fail(token, 0, `The direct get can't be sent: ${error instanceof Error ? error.message : String(error)}`);
    }
    return promise.then(() => entry);
  };
  return {
    read: async (stream, subject, from) => {
      const messages: LogMessage[] = [];
      for (let at = from; ;) {
        const batch = await readBatch(stream, subject, at, batchMax);
        messages.push(...batch.messages);
        const last = batch.messages.at(-1);
        if (last === undefined || batch.pending === 0) return messages;
        at = last.sequence + 1;
      }
    },
    readFirst: (stream, subject, count) => readBatch(stream, subject, 1, Math.min(count, batchMax)),
    [Symbol.dispose]: () => {
      stopListening();
      for (const token of open.keys()) fail(token, 0, "Direct gets have been closed.");
      if (!nats.connection.isClosed()) subscription.unsubscribe();
    },
  };
}

function collect(entry: Open | undefined, message: Msg): void {
  const { headers } = message;
  if (entry === undefined || headers === undefined) return;
  entry.pending = Number(headers.get("Nats-Num-Pending"));
  entry.messages.push({
    sequence: Number(headers.get("Nats-Sequence")),
    storedMs: Date.parse(headers.get("Nats-Time-Stamp")),
    subject: headers.get("Nats-Subject"),
    data: message.data.slice(),
  });
}
