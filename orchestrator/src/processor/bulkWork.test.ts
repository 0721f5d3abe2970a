import { expect, test } from "vitest";
import { Bulk } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { silentLog } from "../../../runtime/src/log.ts";
import { bulksKeptMax, toBulkStore } from "./bulks.ts";
import type { BulkStore } from "./bulks.ts";
import { openBulkWork } from "./bulkWork.ts";
import type { Acted, BulkWorkOptions } from "./bulkWork.ts";
import type { Swapped } from "./ports.ts";

/** The record in memory; `hear` resolves when a bulk fits. */
function openRecord(first: readonly Bulk[]) {
  let bulks = first;
  let revision = 1;
  const listeners = new Set<() => void>();
  const record = {
    read: () => Promise.resolve({ bulks, revision }),
    write: (next: readonly Bulk[], expected: number): Promise<Swapped> => {
      if (expected !== revision) return Promise.resolve({ kind: "refused" });
      bulks = next;
      revision++;
      for (const listener of listeners) listener();
      return Promise.resolve({ kind: "held", revision });
    },
  };
  const hear = (fits: (bulk: Bulk) => boolean): Promise<Bulk> =>
    new Promise((resolve) => {
      const look = (): void => {
        const found = bulks.find(fits);
        if (found !== undefined) resolve(found);
      };
      listeners.add(look);
      look();
    });
  return { record, store: toBulkStore(record), hear, all: () => bulks };
}

const runOf = (number: number): RunId => number.toString(16).padStart(32, "0") as RunId;
const makeBulk = (more: Partial<Bulk> = {}): Bulk => ({
  ...Bulk.decode(new Uint8Array()),
  id: "b",
  rate: 1_000,
  startedMs: 1_000,
  ...more,
});

/** Runs 1 to `count`, started in that order; those that `isGone` are found no more. */
function openRuns(count: number) {
  const runs = Array.from({ length: count }, (_, at) => ({ id: runOf(count - at), startedMs: count - at }));
  const gone = new Set<string>();
  const next: BulkWorkOptions["next"] = (_bulk, after, limit) =>
    Promise.resolve(runs.filter((one) => one.startedMs < after.startedMs && !gone.has(one.id)).slice(0, limit));
  return { next, gone };
}

function work(store: BulkStore, more: Pick<BulkWorkOptions, "next" | "act"> & Partial<BulkWorkOptions>): Disposable {
  return openBulkWork({ store, isOurs: () => true, now: Date.now, logger: silentLog, everyMs: 5, ...more });
}

const done: Acted = { kind: "done" };

test("a bulk acts on every run once, the newest before the others, and counts what did not fit with its reason", async () => {
  const { store, hear } = openRecord([makeBulk()]);
  const seen: RunId[] = [];
  using _ = work(store, {
    ...openRuns(250),
    act: (_bulk, runId) => {
      seen.push(runId);
      const isOdd = Number.parseInt(runId.slice(-2), 16) % 2 === 1;
      return Promise.resolve(isOdd ? { kind: "refused", reason: "RUN_ENDED", message: "m" } : done);
    },
  });
  const bulk = await hear(({ endedMs }) => endedMs > 0);
  expect(seen.slice(0, 100).toSorted().toReversed()).toEqual(
    Array.from({ length: 100 }, (_one, at) => runOf(250 - at)),
  );
  expect(seen.toSorted().toReversed()).toEqual(Array.from({ length: 250 }, (_one, at) => runOf(250 - at)));
  expect(bulk).toMatchObject({ done: 125, refused: 125, pendingRunId: [], stopped: false });
  expect(bulk.refusal).toEqual([{ reason: "RUN_ENDED", runs: 125, message: "m", runId: runOf(249) }]);
});

test("whoever goes on after a crash looks again at the runs that were not counted, though the filter finds them no more", async () => {
  const { store, hear } = openRecord([makeBulk()]);
  const { next, gone } = openRuns(120);
  const acted = new Map<RunId, boolean[]>();
  const act = (_bulk: Bulk, runId: RunId, isRepeat: boolean): Promise<Acted> => {
    acted.set(runId, [...(acted.get(runId) ?? []), isRepeat]);
    gone.add(runId);
    return Promise.resolve(done);
  };
  const crash = Promise.withResolvers<void>();
  const first = work(store, {
    next,
    act: (bulk, runId, isRepeat) => {
      if (runId === runOf(60)) crash.resolve();
      return runId === runOf(60) ? new Promise<Acted>(() => undefined) : act(bulk, runId, isRepeat);
    },
  });
  await crash.promise;
  first[Symbol.dispose]();
  using _ = work(store, { next, act });
  expect(await hear(({ endedMs }) => endedMs > 0)).toMatchObject({ done: 120, refused: 0 });
  expect(acted.size).toBe(120);
  // Asked again, and told so; the first page of the next owner is not.
  expect(acted.get(runOf(119))).toEqual([false, true]);
  expect(acted.get(runOf(1))).toEqual([false]);
});

test("a bulk that is stopped ends with what it has begun with, and its counts stand", async () => {
  const { store, hear } = openRecord([makeBulk()]);
  let turns = 0;
  using _ = work(store, {
    ...openRuns(1_000),
    act: async () => {
      if (turns++ === 150) await store.change((bulks) => bulks.map((one) => ({ ...one, endedMs: 5, stopped: true })));
      return done;
    },
  });
  expect(await hear(({ stopped, pendingRunId }) => stopped && pendingRunId.length === 0)).toMatchObject({
    done: 200,
    endedMs: 5,
  });
});

test("a bulk waits while nobody answers for its runs, and leaves out the one that alone is not answered for", async () => {
  const { store, hear } = openRecord([makeBulk()]);
  let away = 12;
  const silent: Acted = { kind: "unanswered", reason: "LOG_UNAVAILABLE", message: "m" };
  using _ = work(store, {
    ...openRuns(3),
    act: (_bulk, runId) => Promise.resolve(away-- > 0 || runId === runOf(2) ? silent : done),
  });
  expect(await hear(({ endedMs }) => endedMs > 0)).toMatchObject({
    done: 2,
    refused: 1,
    refusal: [{ reason: "LOG_UNAVAILABLE", runId: runOf(2) }],
  });
});

test("the oldest bulks that have ended are forgotten, none that goes on", async () => {
  const many = Array.from({ length: bulksKeptMax }, (_, at) => makeBulk({ id: String(at), endedMs: at % 10 }));
  const { store, all } = openRecord(many);
  await store.change((bulks) => [...bulks, makeBulk({ id: "new" })]);
  expect(all()).toHaveLength(bulksKeptMax);
  expect(all().map(({ id }) => id)).toEqual(["0", ...many.slice(2).map(({ id }) => id), "new"]);
});
