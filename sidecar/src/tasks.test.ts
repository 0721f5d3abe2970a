import { expect, test } from "vitest";
import { toNames } from "../../proto/wire/subjects.ts";
import type { Nats } from "../../runtime/src/natsConnection.ts";
import { connectTo, silent } from "../../test/support/connectTo.ts";
import { TaskPuller } from "./nats/tasks.ts";
import { startGround } from "./testing/programs.ts";

const service = "echo.v1.Echo";
const slots = 64;

test("the sidecar with fewer tasks in hands is served first, then the other", async () => {
  await using ground = await startGround();
  const { orchestrator } = ground;
  await orchestrator.deploy(service);
  await using connection = await connectTo(ground.nats.url);
  const busy = new Hands(connection, 20);
  const idle = new Hands(connection, 0);
  await orchestrator.until(async () => (await orchestrator.pullsWaiting(service)) === 2, "both ask");
  const give = async (tasks: number): Promise<void> => {
    const before = busy.taken + idle.taken;
    for (let task = 0; task < tasks; task++) await orchestrator.publishBytes(`${service}/Say`, new Uint8Array());
    await orchestrator.until(() => busy.taken + idle.taken === before + tasks, `${tasks} tasks`, 5_000);
  };
  // It asks for eight at a time, and again when half of them have come.
  await give(3);
  expect([busy.taken, idle.taken]).toEqual([0, 3]);
  idle.isStopped = true;
  await give(1 + 5);
  expect([busy.taken, idle.taken]).toEqual([1, 8]);
  await busy.puller.close();
  await idle.puller.close();
});

test("a puller that leaves a server takes what is on its way, asks for nothing more there, and goes on after the reconnect", async () => {
  await using ground = await startGround();
  const { orchestrator } = ground;
  await orchestrator.deploy(service);
  await using nats = await connectTo(ground.nats.url);
  const listeners: (() => Promise<void>)[] = [];
  const hands = new Hands({ ...nats, onLeaving: (listener) => (listeners.push(listener), () => undefined) }, 0);
  await orchestrator.until(async () => (await orchestrator.pullsWaiting(service)) === 1, "it asks");
  const leaving = listeners[0]?.();
  await orchestrator.publishBytes(`${service}/Say`, new Uint8Array());
  await leaving;
  expect(hands.taken).toBe(1);
  await orchestrator.publishBytes(`${service}/Say`, new Uint8Array());
  await nats.connection.flush();
  expect([hands.taken, await orchestrator.inHands(service)]).toEqual([1, 1]);
  await nats.connection.reconnect();
  await orchestrator.until(() => hands.taken === 2, "the other task");
  await hands.puller.close();
});

/** Tasks that come are counted and stay in hands. */
class Hands {
  taken = 0;
  isStopped = false;
  readonly puller: TaskPuller;

  constructor(nats: Nats, atFirst: number) {
    this.puller = new TaskPuller({
      nats,
      names: toNames(),
      service,
      log: silent,
      room: () => {
        const inHands = atFirst + this.taken;
        const free = this.isStopped ? 0 : slots - inHands;
        return { slots, inHands, free, unasked: free };
      },
      accept: () => void (this.taken += 1),
    });
    this.puller.resume();
  }
}
