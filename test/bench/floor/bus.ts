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

export const floorStreams = { log: "FLOOR_LOG", tasks: "FLOOR_TASKS" } as const;

export async function openBus(url: string): Promise<Bus> {
  const connection = await connect({ servers: url, noAsyncTraces: true });
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

/** Makes the floor's two streams: a log and a work queue. */
export async function makeFloorStreams(url: string): Promise<void> {
  const connection = await connect({ servers: url });
  const manager = await jetstreamManager(connection);
  await manager.streams.add({ name: floorStreams.log, subjects: ["floor.log.>"] });
  await manager.streams.add({ name: floorStreams.tasks, subjects: ["floor.task.>"], retention: "workqueue" });
  await manager.consumers.add(floorStreams.tasks, {
    durable_name: "echo",
    ack_policy: "explicit",
    max_ack_pending: 10_000,
  });
  await connection.close();
}
