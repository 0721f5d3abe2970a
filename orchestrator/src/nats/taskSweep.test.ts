import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { JsMsg } from "@nats-io/jetstream";
import { expect, test } from "vitest";
import { byLoadGroup, toNames } from "../../../proto/wire/subjects.ts";
import { logger } from "../../../runtime/src/log.ts";
import { connectTo } from "../../../test/support/connectTo.ts";
import { startNats } from "../../../test/support/nats.ts";
import { openTaskSweep } from "./taskSweep.ts";
import { ensurePartitionsBucket, ensureTaskConsumer, ensureTopology } from "./topology.ts";

const names = toNames();
const silent = logger("test", { write: () => undefined });
const [busy, away] = ["shop.v1.Stock", "shop.v1.Bank"];

test("acknowledged tasks are removed, and none that is not, whatever order they are acknowledged in", async () => {
  await using server = await startNats();
  await using nats = await connectTo(server.url);
  const { connection } = nats;
  await ensurePartitionsBucket(connection, { names, replicas: 1 });
  await ensureTopology(connection, { names, replicas: 1 }, 1, silent);
  for (const service of [busy, away]) await ensureTaskConsumer(connection, names, service);
  const js = jetstream(connection);
  const manager = await jetstreamManager(connection);
  const left = async (): Promise<readonly number[]> => {
    const found: number[] = [];
    const { state } = await manager.streams.info(names.tasksStream);
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      if ((await manager.streams.getMessage(names.tasksStream, { seq })) !== null) found.push(seq);
    }
    return found;
  };
  const put = async (service: string, count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await js.publish(names.taskSubject(`${service}/Do`), String(i));
  };
  // 1: of a service without a sidecar. 2 to 6: taken, 4 and 6 stay in hands. 7: nobody has asked for it.
  await put(away, 1);
  await put(busy, 5);
  const consumer = await js.consumers.get(names.tasksStream, names.taskConsumer(busy));
  const taken: JsMsg[] = [];
  const five = { max_messages: 5, expires: 2_000, group: byLoadGroup, priority: 0 };
  for await (const message of await consumer.fetch(five)) taken.push(message);
  await put(busy, 1);
  const acknowledge = (...seqs: number[]): void =>
    taken.filter(({ seq }) => seqs.includes(seq)).forEach((it) => it.ack());
  acknowledge(5, 3, 2);
  await connection.flush();
  let now = 0;
  let isOurs = false;
  using _ = openTaskSweep({ nats, names, log: silent, isOurs: () => isOurs, now: () => (now += 60_000) });
  await expect.poll(left, { timeout: 1_500 }).toEqual([1, 2, 3, 4, 5, 6, 7]);
  isOurs = true;
  await expect.poll(left, { timeout: 10_000 }).toEqual([1, 4, 5, 6, 7]);
  acknowledge(6);
  acknowledge(4);
  await expect.poll(left, { timeout: 10_000 }).toEqual([1, 7]);
});
