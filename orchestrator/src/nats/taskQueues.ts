import type { Names } from "../../../proto/wire/subjects.ts";
import { serviceOfConsumer } from "../../../proto/wire/subjects.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { listConsumers } from "./jetstream.ts";

/** Tasks of a service. */
export interface TaskQueue {
  readonly service: string;
  /** Tasks that no sidecar has been given yet. */
  readonly waiting: number;
  /** Tasks that sidecars have in hands. */
  readonly inHands: number;
}

/** The queues of all services that were ever called, as the task stream's leader has them. Throws when NATS does not answer. */
export async function readTaskQueues(nats: Nats, names: Names): Promise<readonly TaskQueue[]> {
  const queues = new Map<string, TaskQueue>();
  for (const { name, waiting, inHands } of await listConsumers(nats.connection, names.tasksStream)) {
    const service = serviceOfConsumer(name);
    const { waiting: others = 0, inHands: inOtherHands = 0 } = queues.get(service) ?? {};
    queues.set(service, { service, waiting: waiting + others, inHands: inHands + inOtherHands });
  }
  return [...queues.values()];
}
