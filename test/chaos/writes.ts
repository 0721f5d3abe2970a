import { connectTo } from "../support/connectTo.ts";
import { serviceNames } from "../support/orderServices.ts";
import type { OrderServiceName } from "../support/orderServices.ts";

/** Follows what the servers acknowledge as stored, while one run is under way. */
export interface Writes extends AsyncDisposable {
  /** Counts from 0; `onWrite` hears of each acknowledged write at once, with its subject and the service that was last named. */
  readonly start: (onWrite: (count: number, subject: string, service: OrderServiceName) => void) => void;
  readonly count: () => number;
  /** Nothing has been written for a while. */
  readonly quiet: () => Promise<void>;
}

/** Events, outcomes, tasks and timers, but not what owners write for themselves. */
const isWrite = /^sidestep\.(log\.\d+\.[0-9a-f]{32}\.|out\.|task\.|timer\.\d+\.[0-9a-f]{32}\.)/;

/** Listens to all that passes through the server at this address. */
export async function watchWrites(url: string): Promise<Writes> {
  const nats = await connectTo(url, "boundaries");
  const open = new Map<string, string>();
  let count = 0;
  let latest = Date.now();
  let service: OrderServiceName = "inventory";
  let heard: Parameters<Writes["start"]>[0] = () => undefined;
  const everything = nats.connection.subscribe(">", {
    callback: (error, message) => {
      if (error !== null) return;
      // A delivery to a consumer has the task's subject too; its reply is where it is acknowledged by the sidecar.
      const reply = message.reply ?? "";
      if (reply !== "" && !reply.startsWith("$JS.") && isWrite.test(message.subject)) open.set(reply, message.subject);
      const subject = open.get(message.subject);
      if (subject === undefined) return;
      open.delete(message.subject);
      if (message.string().includes('"error"')) return;
      latest = Date.now();
      service = serviceNames.find((name) => subject.includes(`.${name}`)) ?? service;
      count += 1;
      heard(count, subject, service);
    },
  });
  await nats.connection.flush();
  return {
    start: (onWrite) => {
      count = 0;
      heard = onWrite;
    },
    count: () => count,
    quiet: async () => {
      heard = () => undefined;
      for (latest = Math.max(latest, Date.now() - 200); Date.now() - latest < 300;)
        await new Promise((resolve) => setTimeout(resolve, 50));
    },
    [Symbol.asyncDispose]: async () => {
      everything.unsubscribe();
      await nats[Symbol.asyncDispose]();
    },
  };
}
