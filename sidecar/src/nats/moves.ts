import { Task } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import { messageIdLine } from "../../../runtime/src/publisher.ts";
import type { Publisher } from "../../../runtime/src/publisher.ts";
import { readTask } from "../core/taskMessage.ts";
import type { Delivery } from "../ports.ts";

const againMs = 1_000;
const refusedMs = 10_000;

/**
 * A task of a limited method that came with those of its service, for it was published before the limit was known: it is put where the
 * limited ones wait, and only then taken away here. An earlier delivery may have begun it, so whoever gets it there asks.
 */
export async function moveTask(publisher: Publisher, names: Names, method: string, delivery: Delivery): Promise<void> {
  const reading = readTask(delivery.body);
  if (reading.kind === "garbage") return delivery.discard(reading.reason);
  const { message, key } = reading.task;
  const moved = Task.encode({ ...message, recheck: true }).finish();
  const published = await publisher.publish(names.limitedSubject(method), moved, messageIdLine(`${key}/limited`));
  if (published.kind === "stored") delivery.ack();
  else delivery.nak(published.kind === "permanent" ? refusedMs : againMs);
}
