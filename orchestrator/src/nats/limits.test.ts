import { afterAll, beforeAll, expect, test } from "vitest";
import type { MethodLimit } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { Task } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { toNames } from "../../../proto/wire/subjects.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { openPublisher } from "../../../runtime/src/publisher.ts";
import { connectTo, silent } from "../../../test/support/connectTo.ts";
import { startNats } from "../../../test/support/nats.ts";
import { askJetStream } from "./jetstream.ts";
import { openLimits } from "./limits.ts";
import type { Limits } from "./limits.ts";
import { toTasks } from "./tasks.ts";
import { ensurePartitionsBucket, ensureTopology } from "./topology.ts";
import { openWriter } from "./write.ts";

const names = toNames();
const charge = "shop.v1.Payments/Charge";
const opened = new AsyncDisposableStack();
let nats: Nats;
let nowMs = 1_000;
let one: Limits;
let other: Limits;

beforeAll(async () => {
  const server = opened.use(await startNats());
  nats = await connectTo(server.url, "limits");
  opened.defer(() => nats.connection.close());
  await ensurePartitionsBucket(nats.connection, { names, replicas: 1 });
  await ensureTopology(nats.connection, { names, replicas: 1 }, 1, silent);
  const publisher = opened.use(openPublisher(nats.connection));
  const options = { nats, names, publisher, log: silent, now: () => nowMs, everyMs: 20 };
  one = opened.use(openLimits(options));
  other = opened.use(openLimits(options));
});
afterAll(() => opened.disposeAsync());

function makeLimit(method: string, concurrency: number): MethodLimit {
  return { method, concurrency, concurrencyPerSidecar: 0, rateCalls: 0, ratePerMs: 0, sinceMs: nowMs, liftedMs: 0 };
}

/** How many tasks of a method NATS hands out at a time; undefined: it has no consumer. */
async function handedOut(method: string): Promise<unknown> {
  const verb = `CONSUMER.INFO.${names.tasksStream}.${names.limitedConsumer(method)}`;
  const { config } = await askJetStream(nats.connection, verb, undefined).catch(() => ({ config: undefined }));
  return config === undefined ? undefined : Object.entries(config).find(([name]) => name === "max_ack_pending")?.[1];
}

test("limits that two orchestrators set at once both hold, and are known to both", async () => {
  const methods = Array.from({ length: 8 }, (_, index) => `shop.v1.Payments/M${index}`);
  const set = methods.map((method, index) =>
    (index % 2 === 0 ? one : other).change((limits) => [...limits, makeLimit(method, index + 1)]),
  );
  expect(await Promise.all(set)).toEqual(methods.map(() => true));
  expect((await one.list()).map(({ method }) => method).toSorted()).toEqual(methods);
  expect(await Promise.all(methods.map(handedOut))).toEqual(methods.map((_, index) => index + 1));
  await expect.poll(() => methods.every((method) => one.isLimited(method) && other.isLimited(method))).toBe(true);
  await one.change(() => []);
});

test("a change is made from what it read, also when the record is read anew while it is on its way", async () => {
  const options = { nats, names, publisher: publisherOf(), log: silent, now: () => nowMs, everyMs: 1 };
  using here = openLimits(options);
  using there = openLimits(options);
  const methods = Array.from({ length: 6 }, (_, index) => `shop.v1.Payments/M${index}`);
  for (let round = 0; round < 10; round++) {
    const set = methods.map((method, index) =>
      (index % 2 === 0 ? here : there).change((limits) => [...limits, makeLimit(method, 1)]),
    );
    await Promise.all(set);
    expect((await here.list()).map(({ method }) => method).toSorted()).toEqual(methods);
    await here.change(() => []);
  }
});

test("a limited method's consumer hands out as many as are set, also when somebody has removed it", async () => {
  await one.change(() => [makeLimit(charge, 4)]);
  expect(await handedOut(charge)).toBe(4);
  await one.change(() => [makeLimit(charge, 9)]);
  expect(await handedOut(charge)).toBe(9);
  await askJetStream(
    nats.connection,
    `CONSUMER.DELETE.${names.tasksStream}.${names.limitedConsumer(charge)}`,
    undefined,
  );
  nowMs += 31_000;
  await expect.poll(() => handedOut(charge)).toBe(9);
});

test("a task goes where the method's tasks go, and the same task again is the same on either way", async () => {
  const tasks = (isLimited: boolean) => toTasks(names, openWriter(nats, publisherOf()), () => isLimited);
  const task = Task.encode({ ...Task.decode(new Uint8Array()), token: new Uint8Array([7]) }).finish();
  const limits = { signal: new AbortController().signal };
  const first = await tasks(true).publish(charge, "attempt", task, limits);
  expect(await tasks(false).publish(charge, "attempt", task, limits)).toEqual(first);
  const stream = await askJetStream(nats.connection, `STREAM.INFO.${names.tasksStream}`, { subjects_filter: ">" });
  expect(stream.state?.subjects).toEqual({ [names.limitedSubject(charge)]: 1 });
});

test("a lifted limit bounds nothing and is forgotten with its consumer, once no task of it is left", async () => {
  await one.change(() => []);
  expect([one.isLimited(charge), await one.list(), await handedOut(charge)]).toEqual([false, [], 10_000]);
  nowMs += 61_000;
  await other.list();
  // The task of before is still there.
  expect(await handedOut(charge)).toBe(10_000);
  await askJetStream(nats.connection, `STREAM.PURGE.${names.tasksStream}`, {});
  await expect.poll(() => handedOut(charge)).toBeUndefined();
});

function publisherOf() {
  return opened.use(openPublisher(nats.connection));
}
