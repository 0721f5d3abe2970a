import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { toRunId } from "../../../proto/wire/runId.ts";
import { toRandom } from "../../../test/sim/random.ts";
import { endOf, eventOf, keeping, names, retentionMs, startOf, tailOf, World } from "../../../test/support/sweptLog.ts";
import type { Made } from "../../../test/support/sweptLog.ts";
import { openRetention } from "./retention.ts";

/** Sweeps as time goes by, until all is due and nothing is left to do; the owner changes by chance, and goes on from what the lease said. */
async function sweepAll(world: World, takeovers: number): Promise<ReturnType<typeof openRetention>> {
  const ground = world.ground();
  let retention = openRetention(ground, keeping, 0);
  let leased = 0;
  const stepMs = world.random.pick([200, 5_000]);
  world.nowMs = retentionMs;
  const lastMs = world.messages.length * 10 + retentionMs;
  const endMs = lastMs + 10 * retentionMs;
  while (world.nowMs < endMs) {
    world.nowMs += world.nowMs > lastMs ? retentionMs / 5 : world.random.int(1, stepMs);
    world.isBroken &&= world.nowMs <= lastMs;
    for (let rounds = 0; rounds < 100 && (await retention.sweep()); rounds++);
    if (world.random.chance(0.3)) leased = retention.position();
    if (world.problems.length > 0) throw world.problems[0];
    if (world.random.chance(takeovers)) retention = openRetention(ground, keeping, leased);
  }
  return retention;
}

test(
  "whatever fails and whoever takes over: ended runs go with all that they had, and nothing else ever does",
  { timeout: 60_000 },
  async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = toRandom(seed);
      const world = new World(random);
      world.isListed = random.chance(0.7);
      world.isBroken = random.chance(0.7);
      const others = (["failed", "endless", "leftover", "lock"] as const).filter(() => random.chance(0.3));
      const sorts = [...Array<Made["sort"]>(random.int(4, 30)).fill("completed"), ...others];
      world.make(random.int(20, 200), random.int(1, 30), sorts, random.pick([0, 0.1, 0.5]));
      const made = world.messages.length;
      await sweepAll(world, random.chance(0.5) ? 0.2 : 0);
      expect([world.left("completed"), world.left("leftover")], `seed ${seed}`).toEqual([[], []]);
      expect(world.messages.length - made).toBeLessThan(100);
    }
  },
);

test("where nothing is kept the head goes for many runs in one request, whatever they had elsewhere is asked for once, and no run is asked for", async () => {
  const world = new World(toRandom(7));
  world.make(300, 20, ["completed"]);
  world.timers.clear();
  world.payloads.clear();
  for (const made of world.runs) made.hadPayloads = false;
  const keys = world.keys.size;
  await sweepAll(world, 0);
  expect(world.left("completed")).toEqual([]);
  const times = (name: string): number => world.requests.filter((one) => one === name).length;
  expect([times("remove"), times("firstEvent"), times("timers"), times("payloads")]).toEqual([0, 0, 0, 0]);
  expect([times("key"), times("free")]).toEqual([keys, keys]);
  expect(times("cutHead")).toBeLessThan(60);
  expect(times("keepOwner")).toBeLessThan(5);
});

async function sweepLater(
  world: World,
  retention: ReturnType<typeof openRetention>,
  afterMs = retentionMs / 5,
): Promise<void> {
  world.nowMs += afterMs;
  for (let rounds = 0; rounds < 100 && (await retention.sweep()); rounds++);
  if (world.problems.length > 0) throw world.problems[0];
}

/** Ends a run that has been waiting. */
function complete(world: World, made: Made): void {
  const end = world.append(names.eventSubject(0, made.runId), endOf(Run_State.COMPLETED));
  made.messages.push(end);
  Object.assign(made, { sort: "completed", endAt: end.sequence });
}

test("a run that goes on keeps the head; what is behind it goes one by one, and in one request again once it has ended and gone", async () => {
  const world = new World(toRandom(3));
  world.make(1, 1, ["endless"]);
  world.make(100, 10, ["completed"]);
  const [pin] = world.runs;
  assert(pin !== undefined);
  const ground = world.ground();
  const retention = openRetention(ground, keeping, 0);
  const sweep = (afterMs: number): Promise<void> => sweepLater(world, retention, afterMs);
  await sweep(world.messages.length * 10 + retentionMs);
  for (let i = 0; i < 5; i++) await sweep(retentionMs / 10);
  expect(world.left("completed")).toEqual([]);
  expect(world.left("endless")).toEqual([pin.runId]);
  const removed = world.requests.filter((name) => name === "remove").length;
  expect(removed).toBeGreaterThanOrEqual(100);
  complete(world, pin);
  world.make(50, 10, ["completed"]);
  for (let i = 0; i < 20; i++) await sweep(retentionMs / 5);
  expect(world.left("completed")).toEqual([]);
  const more = world.requests.filter((name) => name === "remove").length - removed;
  expect(more).toBeLessThan(40);
  expect(retention.position()).toBeGreaterThanOrEqual(pin.endAt);
});

test("who takes over while a run keeps the head cuts it again once that has ended and gone: owners' records and what came for runs that are gone do not stand in front", async () => {
  const world = new World(toRandom(3));
  world.make(1, 1, ["endless"]);
  world.make(50, 10, ["completed", "leftover"], 0.5);
  const [pin] = world.runs;
  assert(pin !== undefined);
  const ground = world.ground();
  const before = openRetention(ground, keeping, 0);
  await sweepLater(world, before, world.messages.length * 10 + retentionMs);
  for (let i = 0; i < 5; i++) await sweepLater(world, before);
  expect(world.left("completed")).toEqual([]);
  // Something came for one of them, and has been passed.
  const gone = world.runs.find(({ sort }) => sort === "completed") ?? assert.fail();
  gone.messages.push(world.append(names.outcomeSubject(0, gone.runId), new Uint8Array(8)));
  const after = openRetention(ground, keeping, world.messages.length);
  world.append(names.ownerSubject(0), Uint8Array.of(2));
  complete(world, pin);
  world.make(20, 5, ["completed"]);
  for (let i = 0; i < 20; i++) await sweepLater(world, after);
  expect(world.left("completed")).toEqual([]);
  const removed = world.requests.filter((name) => name === "remove").length;
  world.make(200, 10, ["completed"]);
  for (let i = 0; i < 20; i++) await sweepLater(world, after);
  expect(world.left("completed")).toEqual([]);
  expect(world.requests.filter((name) => name === "remove").length - removed).toBeLessThan(60);
  expect(world.messages.length - world.gone.size).toBeLessThanOrEqual(2);
});

test("what is left of a run that another sweep, or who asked for it, has deleted goes as well, though its start was met", async () => {
  const world = new World(toRandom(5));
  world.make(1, 1, ["failed"]);
  const [failed] = world.runs;
  assert(failed !== undefined);
  const retention = openRetention(world.ground(), keeping, 0);
  await sweepLater(world, retention, world.messages.length * 10 + retentionMs);
  for (const { sequence } of failed.messages) world.gone.add(sequence);
  world.keys.clear();
  world.timers.clear();
  world.payloads.clear();
  const request = eventOf({ $case: "deleteRequested", value: { reason: "", actor: "", requestId: "" } });
  Object.assign(failed, { sort: "leftover", messages: [world.append(names.eventSubject(0, failed.runId), request)] });
  world.make(20, 5, ["completed"]);
  for (let i = 0; i < 20; i++) await sweepLater(world, retention);
  expect([world.left("completed"), world.left("leftover")]).toEqual([[], []]);
});

test("who has just started reads nothing until it knows how far all partitions have come, and deletes at the next look", async () => {
  const world = new World(toRandom(8));
  world.make(50, 10, ["completed"]);
  let passedMs = 0;
  const retention = openRetention({ ...world.ground(), passedMs: () => passedMs }, keeping, 0);
  await sweepLater(world, retention, world.messages.length * 10 + retentionMs);
  expect([world.left("completed").length, world.requests]).toEqual([50, []]);
  passedMs = Infinity;
  await sweepLater(world, retention, 1_000);
  expect(world.left("completed")).toEqual([]);
});

test("while nothing can be deleted no more is read than is remembered", { timeout: 30_000 }, async () => {
  const world = new World(toRandom(9));
  world.append(names.ownerSubject(0), Uint8Array.of(1));
  for (let index = 0; index < 45_000; index++) {
    const runId = toRunId(1_700_000_000_000, 1, index % 4096, tailOf(index));
    world.append(names.eventSubject(0, runId), endOf(Run_State.COMPLETED));
  }
  const ground = world.ground();
  let readUpTo = 0;
  let tries = 0;
  const log = {
    ...ground.log,
    next: (from: number, count: number) => {
      readUpTo = Math.max(readUpTo, from + count - 1);
      return Promise.resolve(world.messages.slice(from - 1, from - 1 + count));
    },
  };
  const archive = (): Promise<void> => {
    tries++;
    return Promise.reject(new Error("it does not answer"));
  };
  const retention = openRetention({ ...ground, log, archive }, keeping, 0);
  for (let i = 0; i < 9; i++) await sweepLater(world, retention, i === 0 ? 1e9 : 1_000);
  expect([retention.position(), world.gone.size]).toEqual([0, 0]);
  expect(readUpTo).toBeLessThanOrEqual(35_000);
  expect(tries).toBeLessThanOrEqual(9 * 32);
});

/** A log of so many runs of ten calls, one message each millisecond, that tells how it is read and cut. */
function longLog(runs: number) {
  const world = new World(toRandom(1));
  world.append(names.ownerSubject(0), Uint8Array.of(1));
  for (let index = 0; index < runs; index++) {
    const runId = toRunId(1_700_000_000_000, 1, index % 4096, tailOf(index));
    world.append(names.eventSubject(0, runId), startOf(""));
    for (let call = 0; call < 10; call++) world.append(names.outcomeSubject(0, runId), new Uint8Array(8));
    world.append(names.eventSubject(0, runId), endOf(Run_State.COMPLETED));
  }
  const messages = world.messages.map((message) => ({ ...message, storedMs: message.sequence }));
  const paces = new Set<string | undefined>();
  const cuts: number[] = [];
  const ground = world.ground();
  const log: typeof ground.log = {
    ...ground.log,
    next: (from, count, pace) => {
      paces.add(pace);
      return Promise.resolve(messages.slice(from - 1, from - 1 + count));
    },
    head: () => Promise.resolve((cuts.at(-1) ?? 0) + 1),
    keepOwner: () => Promise.resolve(),
    cutHead: (through) => Promise.resolve(void cuts.push(through)),
  };
  world.nowMs = retentionMs;
  return { world, messages, paces, cuts, retention: openRetention({ ...ground, log }, keeping, 0) };
}

test("a head is cut for many positions, or once it has waited, not at each look, and reading leaves others their time", async () => {
  const { world, messages, paces, cuts, retention } = longLog(5_000);
  for (let look = 0; look < messages.length / 5_000; look++) await sweepLater(world, retention, 5_000);
  expect([1, 2, 3]).toContain(cuts.length);
  expect(retention.position()).toBeGreaterThan(20_000);
  for (let i = 0; i < 4; i++) await sweepLater(world, retention, retentionMs / 10);
  expect(cuts.at(-1)).toBe(messages.length);
  expect(cuts.length).toBeLessThanOrEqual(4);
  expect([...paces]).toEqual(["among others"]);
});

test("while many messages are met, and many runs deleted of which nobody has to be asked, all else has its turn", async () => {
  const { world, cuts, messages, retention } = longLog(1_000);
  let turns = 0;
  const count = (): void => {
    turns++;
    turning = setImmediate(count);
  };
  let turning = setImmediate(count);
  await sweepLater(world, retention, messages.length + retentionMs);
  await sweepLater(world, retention, retentionMs / 5);
  clearImmediate(turning);
  expect(cuts).toEqual([messages.length]);
  expect(turns).toBeGreaterThanOrEqual(messages.length / 128 + 1_000 / 64 - 5);
});

test("a log that was lost and began anew keeps its head", async () => {
  const world = new World(toRandom(4));
  world.make(50, 10, ["completed"]);
  const ground = world.ground();
  const retention = openRetention(ground, keeping, 0);
  // Some have ended and wait for more.
  world.nowMs = retentionMs + (world.messages.length - 30) * 10;
  await retention.sweep();
  world.messages.length = 0;
  world.gone.clear();
  world.owners.length = 0;
  world.runs.length = 0;
  world.byId.clear();
  world.make(2, 2, ["endless"]);
  for (let i = 0; i < 20; i++) await sweepLater(world, retention);
  expect(world.left("endless")).toHaveLength(2);
});

test("a message of no run stays, lest a later version has written it, and holds nothing back", async () => {
  const world = new World(toRandom(6));
  world.make(20, 5, ["completed"]);
  const unknown = world.append("sidestep.log.0._later", Uint8Array.of(1));
  world.make(50, 5, ["completed"]);
  const ground = world.ground();
  let retention = openRetention(ground, keeping, 0);
  for (let i = 0; i < 10; i++) await sweepLater(world, retention);
  expect([world.left("completed"), world.gone.has(unknown.sequence)]).toEqual([[], false]);
  retention = openRetention(ground, keeping, retention.position());
  world.make(50, 5, ["completed"]);
  for (let i = 0; i < 10; i++) await sweepLater(world, retention);
  expect([world.left("completed"), world.gone.has(unknown.sequence)]).toEqual([[], false]);
});
