import { expect, test } from "vitest";
import { toNames } from "../../proto/wire/subjects.ts";
import { logger } from "../../runtime/src/log.ts";
import type { Nats } from "../../runtime/src/natsConnection.ts";
import { connectTo, silent } from "../../test/support/connectTo.ts";
import { startTcpProxy } from "../../test/support/tcpProxy.ts";
import { unaskedOf } from "./core/pullWindow.ts";
import { TaskPuller } from "./nats/tasks.ts";
import type { PullerOptions, Room } from "./nats/tasks.ts";
import type { Delivery } from "./ports.ts";
import { startGround } from "./testing/programs.ts";

const service = "echo.v1.Echo";
const slots = 64;
const idle: Room = { slots, pullers: 1, inHands: 0, free: slots, asked: 0, unasked: slots };
const requestsOfTasks = `$JS.API.CONSUMER.MSG.NEXT.${toNames().tasksStream}.>`;

test("the sidecar with fewer tasks in hands is served first, then the other", async () => {
  await using ground = await startGround();
  const { orchestrator } = ground;
  await orchestrator.deploy(service);
  await using connection = await connectTo(ground.nats.url);
  const busy = new Hands(connection, 20);
  const free = new Hands(connection, 0);
  await orchestrator.until(async () => (await orchestrator.pullsWaiting(service)) === 2, "both ask");
  const give = async (tasks: number): Promise<void> => {
    const before = busy.taken + free.taken;
    for (let task = 0; task < tasks; task++) await orchestrator.publishBytes(`${service}/Say`, new Uint8Array());
    await orchestrator.until(() => busy.taken + free.taken === before + tasks, `${tasks} tasks`, 5_000);
  };
  // It asks for eight at a time, and again when half of them have come.
  await give(3);
  expect([busy.taken, free.taken]).toEqual([0, 3]);
  free.isStopped = true;
  await give(1 + 5);
  expect([busy.taken, free.taken]).toEqual([1, 8]);
  await busy.puller.close();
  await free.puller.close();
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

test("large tasks of several services come over one connection: no more is on its way than nats-server puts up with", async () => {
  // By default it puts up with 64 MB.
  await using ground = await startGround("max_pending: 24MB");
  const { orchestrator } = ground;
  const services = ["echo.v1.Echo", "echo.v1.Again"];
  // Small ones have them ask for as many as they may.
  const sizes = [...Array.from({ length: 700 }, () => 100), ...Array.from({ length: 160 }, () => 260_000)];
  for (const size of sizes)
    await Promise.all(services.map((one) => orchestrator.publishBytes(`${one}/Say`, new Uint8Array(size))));
  await using nats = await connectTo(ground.nats.url);
  let losses = 0;
  nats.onDisconnect(() => void losses++);
  let taken = 0;
  const pullers: TaskPuller[] = [];
  for (const one of services) {
    await orchestrator.deploy(one);
    const room = (): Room => {
      const asked = pullers.reduce((sum, puller) => sum + puller.outstanding(), 0);
      return { slots: 1_000, pullers: 2, inHands: 300, free: 700, asked, unasked: unaskedOf(700, asked) };
    };
    pullers.push(open({ nats, service: one, log: silent }, room, () => (taken += 1)));
  }
  for (const puller of pullers) puller.resume();
  await orchestrator.until(() => taken >= services.length * sizes.length, "all tasks");
  expect([taken, losses]).toEqual([services.length * sizes.length, 0]);
  await Promise.all(pullers.map((puller) => puller.close()));
});

test("a task that is larger than a request may bring comes, and no request is counted twice", async () => {
  await using ground = await startGround();
  const { orchestrator } = ground;
  await orchestrator.deploy(service);
  await using nats = await connectTo(ground.nats.url);
  // Tasks that the server may still give out.
  let asked = 0;
  const bounds = new Set<boolean | undefined>();
  const told = new Set<string>();
  const replies = new Set<string | undefined>();
  const { connection: seeing } = orchestrator;
  seeing.subscribe(requestsOfTasks, {
    callback: (_, message) => {
      const { batch, max_bytes } = message.json<{ readonly batch: number; readonly max_bytes?: number }>();
      asked += batch;
      bounds.add(max_bytes === undefined ? undefined : max_bytes / (batch * 32 * 1024 + 32 * 1024) < 1);
      replies.add(message.reply);
    },
  });
  seeing.subscribe("_INBOX.>", {
    callback: (_, { subject, headers }) => {
      if (!replies.has(subject)) return;
      asked -= Number(headers?.get("Nats-Pending-Messages") ?? 0);
      if (headers?.code === 409) told.add(headers.description);
    },
  });
  await seeing.flush();
  // Others have asked for a hundred.
  const room: Room = { ...idle, asked: 100 };
  let taken = 0;
  const lines: string[] = [];
  const log = logger("test", { write: (line) => lines.push(line) });
  const puller = open(
    { nats, service, log },
    () => room,
    () => (taken += 1),
  );
  puller.resume();
  const most: number[] = [];
  // Each is alone on its way.
  for (let task = 0; task < 30; task++) {
    await orchestrator.publishBytes(`${service}/Say`, new Uint8Array(task % 15 === 14 ? 500_000 : 100));
    await orchestrator.until(() => taken === task + 1, `task ${task}`, 5_000);
    await nats.connection.flush();
    await seeing.flush();
    most.push(asked - taken);
  }
  expect(bounds).toEqual(new Set([true, undefined]));
  expect(told).toEqual(new Set(["Message Size Exceeds MaxBytes", "Batch Completed"]));
  expect(Math.max(...most)).toBeLessThanOrEqual(8);
  // Nothing was wrong with any of them.
  expect(lines).toEqual([]);
  await puller.close();
});

test("tasks that use up the bytes of a request to the last one hold up nobody", async () => {
  await using ground = await startGround();
  const { orchestrator } = ground;
  await orchestrator.deploy(service);
  await using nats = await connectTo(ground.nats.url);
  const names = toNames();
  // The server counts the subjects too.
  const acknowledgedAt = `$JS.ACK.${names.tasksStream}.${names.taskConsumer(service)}.1.1.1.1700000000000000000.1`;
  const size = 64 * 1024 - names.taskSubject(`${service}/Say`).length - acknowledgedAt.length;
  for (let task = 0; task < 9; task++) await orchestrator.publishBytes(`${service}/Say`, new Uint8Array(size));
  let taken = 0;
  const lines: string[] = [];
  const log = logger("test", { write: (line) => lines.push(line) });
  const puller = open(
    { nats, service, log },
    () => ({ ...idle, asked: 100 }),
    () => (taken += 1),
  );
  puller.resume();
  await orchestrator.until(() => taken === 9, "all tasks");
  // Nobody had to wait until it was noticed that nothing more came.
  expect(lines).toEqual([]);
  await puller.close();
});

test("of forty services that have nothing to do what each asks for leaves room for one that has", async () => {
  await using ground = await startGround();
  const { orchestrator } = ground;
  await using nats = await connectTo(ground.nats.url);
  const pullers: TaskPuller[] = [];
  const many = Array.from({ length: 40 }, (_, at) => `echo.v1.Echo${at}`);
  let taken = 0;
  const room = (): Room => {
    const asked = pullers.reduce((sum, puller) => sum + puller.outstanding(), 0);
    const wanted = pullers.reduce((sum, puller) => sum + puller.wanted(), 0);
    return { slots: 1_000, pullers: many.length, inHands: 100, free: 900, asked, unasked: unaskedOf(900, wanted) };
  };
  for (const one of many) {
    await orchestrator.deploy(one);
    pullers.push(open({ nats, service: one, log: silent }, room, () => (taken += 1)));
  }
  for (const puller of pullers) puller.resume();
  const [busy = ""] = many.slice(-1);
  await orchestrator.until(async () => (await orchestrator.pullsWaiting(busy)) === 1, "the last one asks");
  let requests = 0;
  orchestrator.connection.subscribe(requestsOfTasks, { callback: () => void requests++ });
  const tasks = Array.from({ length: 500 }, () => orchestrator.publishBytes(`${busy}/Say`, new Uint8Array()));
  await Promise.all(tasks);
  await orchestrator.until(() => taken === tasks.length, "all tasks");
  // One by one it would be 500.
  expect(requests).toBeLessThan(250);
  await Promise.all(pullers.map((puller) => puller.close()));
});

test("a service that had much to do and has nothing any more does not keep what it asked for from others", async () => {
  await using ground = await startGround();
  const { orchestrator } = ground;
  await orchestrator.deploy(service);
  await using nats = await connectTo(ground.nats.url);
  let [given, taken] = [0, 0];
  const room = (): Room => ({ ...idle, inHands: slots });
  const puller = open({ nats, service, log: silent }, room, () => (taken += 1));
  puller.resume();
  while (puller.wanted() <= 16) {
    const tasks = Array.from({ length: 97 }, () => orchestrator.publishBytes(`${service}/Say`, new Uint8Array()));
    await Promise.all(tasks);
    given += tasks.length;
    await orchestrator.until(() => taken === given, "all tasks");
  }
  // A small request lasts 5 s.
  await orchestrator.until(() => puller.wanted() <= 8, "it asks for little again", 3_000);
  expect(taken).toBe(given);
  await puller.close();
});

test("an idle service that asks with a better rank too counts for what it wants, one that gets tasks for all", async () => {
  await using ground = await startGround();
  const { orchestrator } = ground;
  await orchestrator.deploy(service);
  await using nats = await connectTo(ground.nats.url);
  let inHands = 20;
  let taken = 0;
  const room = (): Room => ({ ...idle, inHands });
  const puller = open({ nats, service, log: silent }, room, () => (taken += 1));
  puller.resume();
  inHands = 0;
  puller.pull();
  expect([puller.outstanding(), puller.wanted()]).toEqual([16, 16]);
  await orchestrator.until(() => puller.wanted() === 8, "a heartbeat");
  await orchestrator.publishBytes(`${service}/Say`, new Uint8Array());
  await orchestrator.until(() => taken === 1, "a task");
  expect([puller.outstanding(), puller.wanted()]).toEqual([15, 15]);
  await puller.close();
});

test("what a request of before a reconnect brings is taken, for it would come again only after seconds, and does not count for those made since", async () => {
  await using ground = await startGround();
  const { orchestrator } = ground;
  await orchestrator.deploy(service);
  await using nats = await connectTo(ground.nats.url);
  const inboxes: string[] = [];
  orchestrator.connection.subscribe(requestsOfTasks, { callback: (_, { reply = "" }) => void inboxes.push(reply) });
  await orchestrator.connection.flush();
  const hands = new Hands(nats, 0, 8);
  await orchestrator.until(() => inboxes.length === 1, "it asks");
  await nats.connection.reconnect();
  await orchestrator.until(() => inboxes.length === 2, "it asks anew");
  const [before = "", since] = inboxes;
  expect(since).not.toBe(before);
  // Somebody listens, and says nothing.
  await expect(orchestrator.connection.request(before, "", { timeout: 200 })).rejects.toThrow(/timeout/i);
  expect(hands.puller.outstanding()).toBe(8);
  await hands.puller.close();
});

test("a task that is served before a better request arrives does not count for that one", async () => {
  await using ground = await startGround();
  const { orchestrator } = ground;
  await orchestrator.deploy(service);
  await using proxy = await startTcpProxy(ground.nats.url);
  await using nats = await connectTo(proxy.url);
  let requests = 0;
  orchestrator.connection.subscribe(requestsOfTasks, { callback: () => void requests++ });
  await orchestrator.connection.flush();
  let inHands = 20;
  let taken = 0;
  const room = (): Room => ({ ...idle, inHands, free: 40, unasked: 40 });
  const puller = open({ nats, service, log: silent }, room, () => (taken += 1));
  puller.resume();
  await orchestrator.until(async () => (await orchestrator.pullsWaiting(service)) === 1, "it asks");
  proxy.freeze();
  await orchestrator.publishBytes(`${service}/Say`, new Uint8Array());
  await orchestrator.until(async () => (await orchestrator.inHands(service)) === 1, "a task is on its way");
  inHands = 0;
  puller.pull();
  proxy.thaw();
  // Of the eight that it asked for at last five are left then: enough not to ask again.
  for (let task = 1; task <= 4; task++) {
    await orchestrator.until(() => taken === task, `task ${task}`, 5_000);
    if (task < 4) await orchestrator.publishBytes(`${service}/Say`, new Uint8Array());
  }
  await nats.connection.flush();
  await orchestrator.connection.flush();
  expect(requests).toBe(2);
  await puller.close();
});

/** Tasks that come are acknowledged at once. */
function open(
  options: Pick<PullerOptions, "nats" | "service" | "log">,
  room: () => Room,
  onTask: () => void,
): TaskPuller {
  const accept = (delivery: Delivery): void => {
    delivery.ack();
    onTask();
  };
  return new TaskPuller({ ...options, names: toNames(), room, accept });
}

/** Tasks that come are counted and stay in hands. */
class Hands {
  taken = 0;
  isStopped = false;
  readonly puller: TaskPuller;

  /** None while it is being made. */
  outstanding: () => number = () => 0;

  constructor(nats: Nats, atFirst: number, slotsOf = slots) {
    this.puller = new TaskPuller({
      nats,
      names: toNames(),
      service,
      log: silent,
      room: () => {
        const inHands = atFirst + this.taken;
        const free = this.isStopped ? 0 : slotsOf - inHands;
        return { ...idle, inHands, free, unasked: free - this.outstanding() };
      },
      accept: () => void (this.taken += 1),
    });
    this.outstanding = () => this.puller.outstanding();
    this.puller.resume();
  }
}
