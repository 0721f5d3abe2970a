import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { Event, RunEnded, RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { fromHex, toRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { toNames } from "../../../proto/wire/subjects.ts";
import { silentLog } from "../../../runtime/src/log.ts";
import { toRandom } from "../../../test/sim/random.ts";
import type { Random } from "../../../test/sim/random.ts";
import { toCredentials } from "./credentials.ts";
import { keyPlace } from "./keyPlace.ts";
import { zeroCounts } from "./ownership.ts";
import type { Ground } from "./ownership.ts";
import type { LogMessage } from "./ports.ts";
import { openRetention } from "./retention.ts";
import type { Keeping } from "./retention.ts";

const names = toNames();
const workflow = "test.v1.Flows/Flow";
const retentionMs = 600_000;
const keeping: Keeping = {
  retentionMs,
  takes: ({ state }) => state === Run_State.COMPLETED,
  hasLeftovers: true,
};

/** A run as it was made, and what is to become of it. */
interface Made {
  readonly runId: RunId;
  readonly key: string;
  /** Completed and failed; waits for long; never began; a lock that is held. */
  readonly sort: "completed" | "failed" | "endless" | "leftover" | "lock";
  readonly messages: LogMessage[];
  startAt: number;
  endAt: number;
  hadPayloads: boolean;
}

const eventOf = (kind: NonNullable<Event["kind"]>): Uint8Array => Event.encode({ kind }).finish();
const endOf = (state: Run_State): Uint8Array =>
  eventOf({ $case: "runEnded", value: { ...RunEnded.decode(new Uint8Array()), state } });
const startOf = (key: string): Uint8Array =>
  eventOf({ $case: "runStarted", value: { ...RunStarted.decode(new Uint8Array()), workflow, key, issuedAtMs: 1e15 } });
const asked = eventOf({
  $case: "lockRequested",
  value: { lock: "l", holder: { runId: new Uint8Array(16), step: { step: "s", generation: 0 } } },
});

/** A partition in memory with a log of many runs at a time, ten milliseconds from message to message, that says when something goes that must not. */
class World {
  readonly random: Random;
  readonly messages: LogMessage[] = [];
  readonly gone = new Set<number>();
  readonly runs: Made[] = [];
  readonly keys = new Map<string, RunId>();
  readonly timers = new Set<RunId>();
  readonly payloads = new Set<RunId>();
  readonly owners: number[] = [];
  readonly requests: string[] = [];
  readonly problems: unknown[] = [];
  nowMs = 0;
  /** Requests fail by chance, before or after they are carried out. */
  isBroken = false;
  isListed = true;

  constructor(random: Random) {
    this.random = random;
  }

  append(subject: string, data: Uint8Array): LogMessage {
    const sequence = this.messages.length + 1;
    const message = { sequence, subject, data, storedMs: sequence * 10 };
    this.messages.push(message);
    if (subject === names.ownerSubject(0)) this.owners.push(sequence);
    return message;
  }

  /** Some runs, so many at a time, each of some messages, some of which come after its end. */
  make(count: number, atOnce: number, sorts: readonly Made["sort"][], lateChance = 0): void {
    const { random } = this;
    this.append(names.ownerSubject(0), Uint8Array.of(1));
    const open: { readonly made: Made; readonly todo: (() => LogMessage)[] }[] = [];
    for (let begun = 0; begun < count || open.length > 0;) {
      while (open.length < atOnce && begun < count) {
        open.push(this.#begin(random.pick(sorts), lateChance));
        begun++;
      }
      const at = random.int(0, open.length - 1);
      const { made, todo } = open[at] ?? assert.fail();
      const message = todo.shift()?.();
      if (message === undefined) open.splice(at, 1);
      else made.messages.push(message);
      if (random.chance(0.002)) this.append(`${names.eventSubject(0, "x")}x`, new Uint8Array(3));
    }
  }

  #begin(sort: Made["sort"], lateChance: number): { readonly made: Made; readonly todo: (() => LogMessage)[] } {
    const { random } = this;
    const index = this.runs.length;
    const runId = toRunId(sort === "lock" ? 0 : 1_700_000_000_000, 1, index % 4096, tailOf(index));
    const key = random.chance(0.3) ? `k${index}` : "";
    const made: Made = { runId, key, sort, messages: [], startAt: 0, endAt: 0, hadPayloads: false };
    this.runs.push(made);
    const event = (data: Uint8Array) => (): LogMessage => this.append(names.eventSubject(0, runId), data);
    const outcome = (): LogMessage => this.append(names.outcomeSubject(0, runId), new Uint8Array(8));
    const outcomes = Array.from({ length: random.int(0, sort === "endless" ? 40 : 6) }, () => outcome);
    if (sort === "lock") return { made, todo: [event(asked), event(asked)] };
    if (sort === "leftover") return { made, todo: [event(new Uint8Array()), ...outcomes] };
    if (key !== "") this.keys.set(keyPlace(workflow, key).hash, runId);
    if (random.chance(0.2)) this.timers.add(runId);
    if (random.chance(0.2)) this.payloads.add(runId);
    made.hadPayloads = this.payloads.has(runId);
    const start = (): LogMessage => {
      const message = event(startOf(key))();
      made.startAt = message.sequence;
      return message;
    };
    if (sort === "endless") return { made, todo: [start, ...outcomes] };
    const end = (): LogMessage => {
      const message = event(endOf(sort === "completed" ? Run_State.COMPLETED : Run_State.FAILED))();
      made.endAt = message.sequence;
      return message;
    };
    const late = random.chance(lateChance) ? [outcome, event(new Uint8Array())] : [];
    return { made, todo: [start, ...outcomes, end, ...late] };
  }

  ground(): Ground {
    const byId = new Map(this.runs.map((made) => [made.runId, made]));
    const of = (runId: RunId): LogMessage[] =>
      (byId.get(runId)?.messages ?? []).filter(({ sequence }) => !this.gone.has(sequence));
    const standing = (): LogMessage[] => this.messages.filter(({ sequence }) => !this.gone.has(sequence));
    const drop = (messages: readonly LogMessage[], through: number): void => {
      for (const { sequence } of messages) if (sequence <= through) this.gone.add(sequence);
    };
    const owner = names.ownerSubject(0);
    const { ask } = this;
    const log = {
      head: ask("head", () => standing()[0]?.sequence ?? this.messages.length + 1),
      firstOf: ask("firstOf", (runId: RunId) => of(runId)[0]?.sequence),
      firstEvent: ask("firstEvent", (runId: RunId) => of(runId).find(({ subject }) => subject.endsWith(".e"))),
      positions: ask("positions", (runId: RunId) => ({ event: of(runId).at(-1)?.sequence ?? 0 })),
      load: ask("load", of),
      next: ask("next", (from: number, count: number) =>
        standing()
          .filter(({ sequence }) => sequence >= from)
          .slice(0, Math.min(count, this.random.int(1, 200))),
      ),
      remove: ask("remove", (runId: RunId, _from: number, through: number) => drop(of(runId), through)),
      keepOwner: ask("keepOwner", (through: number) => {
        const stands = standing().findLast(({ subject }) => subject === owner);
        if (stands !== undefined && stands.sequence <= through) this.append(owner, stands.data);
      }),
      cutHead: ask("cutHead", (through: number) => drop(standing(), through)),
    };
    const keys = {
      read: ask("key", (_bucket: number, hash: string) => {
        const holder = this.keys.get(hash);
        return holder === undefined ? undefined : { record: { runId: fromHex(holder) }, revision: 1 };
      }),
      free: ask("free", (_bucket: number, hash: string) => this.keys.delete(hash)),
    };
    const listOf = (runs: ReadonlySet<RunId>) => ask("list", () => (this.isListed ? new Set(runs) : undefined));
    return {
      partition: 0,
      clock: { now: () => this.nowMs },
      counts: zeroCounts(),
      credentials: toCredentials([new Uint8Array(16)]),
      logger: silentLog,
      signal: new AbortController().signal,
      isLive: () => true,
      durable: () => this.messages.length,
      passedMs: () => Infinity,
      log,
      keys,
      timers: {
        runs: listOf(this.timers),
        remove: ask("timers", (_: number, runId: RunId) => this.timers.delete(runId)),
      },
      payloads: { runs: listOf(this.payloads), remove: ask("payloads", (runId: RunId) => this.payloads.delete(runId)) },
    } as object as Ground;
  }

  ask =
    <A extends readonly unknown[], T>(name: string, carryOut: (...given: A) => T) =>
    async (...given: A): Promise<T> => {
      await Promise.resolve();
      if (this.isBroken && this.random.chance(0.03)) throw new Error("not now");
      const found = carryOut(...given);
      this.requests.push(name);
      try {
        this.check();
      } catch (error) {
        // The sweep would take it for a failed request.
        this.problems.push(error);
      }
      if (this.isBroken && this.random.chance(0.03)) throw new Error("it is not known whether that was done");
      return found;
    };

  /** What must hold between any two requests. */
  check(): void {
    const untilMs = this.nowMs - retentionMs;
    assert(
      this.owners.some((sequence) => !this.gone.has(sequence)),
      "the owner's record is there",
    );
    for (const made of this.runs) {
      const { runId, sort, messages, endAt, startAt } = made;
      const isDue = sort === "leftover" || (sort === "completed" && endAt > 0 && endAt * 10 <= untilMs);
      if (!isDue) assert(!messages.some(({ sequence }) => this.gone.has(sequence)), `${sort} ${runId} is whole`);
      if (sort !== "completed") continue;
      const [hasStart, hasEnd] = [!this.gone.has(startAt), !this.gone.has(endAt)];
      assert(
        hasStart || !(this.timers.has(runId) || this.isHeld(made)),
        `key and timers of ${runId} go before its start`,
      );
      assert(hasEnd || !(hasStart || this.payloads.has(runId)), `the end of ${runId} goes last`);
      assert(!hasStart || !made.hadPayloads || this.payloads.has(runId), `payloads of ${runId} go behind its start`);
    }
  }

  isHeld({ key, runId }: Made): boolean {
    return key !== "" && this.keys.get(keyPlace(workflow, key).hash) === runId;
  }

  /** Runs of a sort of which the log has anything, or something else has. */
  left(sort: Made["sort"]): readonly RunId[] {
    return this.runs
      .filter((made) => made.sort === sort)
      .filter(
        (made) =>
          made.messages.some(({ sequence }) => !this.gone.has(sequence)) ||
          this.timers.has(made.runId) ||
          this.payloads.has(made.runId) ||
          this.isHeld(made),
      )
      .map(({ runId }) => runId);
  }
}

function tailOf(index: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setUint32(0, index);
  return bytes;
}

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

test("a run that goes on keeps the head; what is behind it goes one by one, and in one request again once it has ended and gone", async () => {
  const world = new World(toRandom(3));
  world.make(1, 1, ["endless"]);
  world.make(100, 10, ["completed"]);
  const [pin] = world.runs;
  assert(pin !== undefined);
  const ground = world.ground();
  const retention = openRetention(ground, keeping, 0);
  const sweep = async (afterMs: number): Promise<void> => {
    world.nowMs += afterMs;
    for (let rounds = 0; rounds < 100 && (await retention.sweep()); rounds++);
  };
  await sweep(world.messages.length * 10 + retentionMs);
  for (let i = 0; i < 5; i++) await sweep(retentionMs / 10);
  expect(world.left("completed")).toEqual([]);
  expect(world.left("endless")).toEqual([pin.runId]);
  const removed = world.requests.filter((name) => name === "remove").length;
  expect(removed).toBeGreaterThanOrEqual(100);
  const end = world.append(names.eventSubject(0, pin.runId), endOf(Run_State.COMPLETED));
  pin.messages.push(end);
  Object.assign(pin, { sort: "completed", endAt: end.sequence });
  world.make(50, 10, ["completed"]);
  for (let i = 0; i < 20; i++) await sweep(retentionMs / 5);
  expect(world.left("completed")).toEqual([]);
  const more = world.requests.filter((name) => name === "remove").length - removed;
  expect(more).toBeLessThan(40);
  expect(retention.position()).toBeGreaterThanOrEqual(end.sequence);
});
