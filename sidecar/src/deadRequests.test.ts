import { expect, test } from "vitest";
import { toNames } from "../../proto/wire/subjects.ts";
import { connectTo, silent } from "../../test/support/connectTo.ts";
import { bytesMaxOf } from "./core/pullWindow.ts";
import { TaskPuller } from "./nats/tasks.ts";
import { startGround } from "./testing/programs.ts";

test("a request that died without a word does not count for ever beside others that are served", async () => {
  const [names, service] = [toNames(), "echo.v1.Echo"];
  await using ground = await startGround();
  const { orchestrator } = ground;
  await orchestrator.deploy(service);
  await using nats = await connectTo(ground.nats.url);
  let [asked, taken] = [0, 0];
  orchestrator.connection.subscribe(`$JS.API.CONSUMER.MSG.NEXT.${names.tasksStream}.>`, {
    callback: (_, message) => void (asked += message.json<{ readonly batch: number }>().batch),
  });
  await orchestrator.connection.flush();
  const room = () => ({ slots: 64, pullers: 1, inHands: 0, free: 64, asked: 100, unasked: 64 });
  const accept = (delivery: { readonly ack: () => void }): void => {
    delivery.ack();
    taken += 1;
  };
  const puller = new TaskPuller({ nats, names, service, log: silent, room, accept });
  puller.resume();
  const give = async (bytes: number): Promise<void> => {
    await orchestrator.publishBytes(`${service}/Say`, new Uint8Array(bytes));
    await orchestrator.until(() => taken === given + 1, "a task");
    given += 1;
  };
  let given = 0;
  // Four tasks use up the bytes of the first request, which is for eight, to the last one: of that the server says nothing.
  const bytes = bytesMaxOf(8, 100, 1) ?? 0;
  const acknowledgedAt = `$JS.ACK.${names.tasksStream}.${names.taskConsumer(service)}.1.1.1.1700000000000000000.0`;
  const subjects = names.taskSubject(`${service}/Say`).length + acknowledgedAt.length;
  for (let task = 0; task < 3; task++) await give(50_000 - subjects);
  await give(bytes - 150_000 - subjects);
  const dead = 4;
  const settled = async (): Promise<number> => {
    await give(0);
    await nats.connection.flush();
    await orchestrator.connection.flush();
    return puller.outstanding() - (asked - dead - taken);
  };
  expect(await settled()).toBe(dead);
  await orchestrator.until(async () => (await settled()) === 0, "it counts no more", 30_000);
  await puller.close();
}, 40_000);
