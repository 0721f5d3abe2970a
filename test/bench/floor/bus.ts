import type { Msg, NatsConnection } from "@nats-io/nats-core";
import { connect } from "@nats-io/transport-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { JsMsg } from "@nats-io/jetstream";

/** The least a Node program needs of JetStream: acknowledged publishes over one inbox, and a consumer by callback. */
export interface Bus {
  readonly connection: NatsConnection;
  /** Resolves when the stream has stored it. */
  publish(subject: string, bytes: Uint8Array): Promise<void>;
  consume(stream: string, durable: string | undefined, take: (message: JsMsg) => void): Promise<void>;
}

/** The floor that does as the product does, and the fastest that is known. */
export type FloorKind = "floor" | "fastest";

/** Its streams, its consumer and their subjects. */
export function floorNames(kind: FloorKind) {
  return {
    log: `${kind}-log`,
    tasks: `${kind}-tasks`,
    service: "echo",
    logSubject: (run: number | "all") => `${kind}.log.${run}`,
    taskSubject: `${kind}.task.echo`,
  };
}

export function parseFloorKind(text: string | undefined): FloorKind {
  return text === "fastest" ? "fastest" : "floor";
}

export async function openBus(url: string): Promise<Bus> {
  const connection = await connect({ servers: url.split(","), noAsyncTraces: true });
  const js = jetstream(connection);
  const prefix = `_INBOX.floor${process.pid}.`;
  const waiting = new Map<string, (ack: Uint8Array) => void>();
  let count = 0;
  connection.subscribe(`${prefix}*`, {
    callback: (_error: Error | null, message: Msg) => {
      const id = message.subject.slice(prefix.length);
      waiting.get(id)?.(message.data);
      waiting.delete(id);
    },
  });
  return {
    connection,
    publish: (subject, bytes) =>
      new Promise((resolve, reject) => {
        const id = (++count).toString(36);
        waiting.set(id, (ack) =>
          Buffer.from(ack).includes('"error"') ? reject(new Error(Buffer.from(ack).toString())) : resolve(),
        );
        connection.publish(subject, bytes, { reply: prefix + id });
      }),
    consume: async (stream, durable, take) => {
      const consumer = await (durable === undefined ? js.consumers.get(stream) : js.consumers.get(stream, durable));
      await consumer.consume({ max_messages: 1000, callback: take });
    },
  };
}

/**
 * Makes its two streams: a log, and the tasks as a work queue; the fastest floor has them in a stream that keeps its messages, whose consumer knows how far it
 * is: to remove each message costs the server more than anything else.
 */
export async function makeFloorStreams(url: string, kind: FloorKind, replicas: number): Promise<void> {
  const connection = await connect({ servers: url.split(",") });
  const manager = await patiently(() => jetstreamManager(connection));
  const names = floorNames(kind);
  await patiently(() => manager.streams.add({ name: names.log, subjects: [`${kind}.log.>`], num_replicas: replicas }));
  await manager.streams.add({
    name: names.tasks,
    subjects: [`${kind}.task.>`],
    num_replicas: replicas,
    ...(kind === "floor" ? { retention: "workqueue" } : { max_msgs: 1_000_000 }),
  });
  await manager.consumers.add(names.tasks, {
    durable_name: names.service,
    ack_policy: "explicit",
    max_ack_pending: 10_000,
  });
  await connection.close();
}

const leaderMsMax = 20_000;

/** A cluster that has just been started has no leader yet. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const untilMs = Date.now() + leaderMsMax;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (Date.now() > untilMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}
