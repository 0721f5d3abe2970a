import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { expect, test, vi } from "vitest";
import { StepAttempt_Result } from "../../../proto/gen/sidestep/v1/step_details.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { HistoryEvent } from "../../../proto/gen/sidestep/v1/run.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import { pause } from "../../../runtime/src/pause.ts";
import { connectTo, silent } from "../../../test/support/connectTo.ts";
import { startNats } from "../../../test/support/nats.ts";
import {
  makeCall,
  makePlan,
  makeWait,
  names,
  openFakeSidecar,
  openOrchestrator,
} from "../../../test/support/orchestrators.ts";
import { startPostgres } from "../../../test/support/postgres.ts";
import { Call_OnExhausted } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { everyRun } from "../compile/filter/runFilter.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import { attach } from "../nats/attach.ts";
import { openRunStore } from "../sql/store.ts";
import type { StorePlace } from "../sql/store.ts";
import { readArchived, toArchive } from "./archive.ts";
import type { Archive, ArchiveGround } from "./archive.ts";
import { toCredentials } from "./credentials.ts";
import type { Bounds } from "./ownership.ts";
import { openRowWriter } from "./rowWriter.ts";
import type { RowWriterBounds } from "./rowWriting.ts";
import type { RunStore } from "./runStore.ts";

const partitions = 2;
const patience = { timeout: 20_000, interval: 30 };
const plan = makePlan([makeCall("a"), makeCall("b")]);
const slow = makePlan([makeWait("long", 3_600_000)], "test.v1.Flows/Slow");
const pausing = makePlan(
  [makeCall("pay", { onExhausted: Call_OnExhausted.ON_EXHAUSTED_PAUSE })],
  "test.v1.Flows/Pausing",
);
const plans = [plan, slow, pausing];
const temporary: StorePlace = { kind: "sqlite", file: "" };

/** An index over a connection of its own, as an orchestrator has one, and what its processor is given of it. */
async function openIndex(url: string, place: StorePlace, bounds: Partial<RowWriterBounds> = {}, retentionMs = 0) {
  const stack = new AsyncDisposableStack();
  const nats = stack.use(await connectTo(url));
  const signal = new AbortController().signal;
  const { ports, layouts, secret } = await attach({ nats, names, partitions, replicas: 1, log: silent, signal });
  const store = stack.use(await openRunStore(place));
  const ground: ArchiveGround = {
    ...ports,
    layouts,
    plans: { load: (planHash) => Promise.resolve(plans.find((one) => isOf(one, planHash))) },
    credentials: toCredentials([secret]),
    store,
    showTrace: () => ({ traceId: "t", tree: [], otlpJson: "" }),
    logger: silent,
  };
  const writer = stack.use(
    openRowWriter({
      store,
      partitions,
      ground,
      logger: silent,
      now: Date.now,
      retentionMs,
      archiveMs: 0,
      bounds: { lingerMs: 10, followMs: 50, ...bounds },
    }),
  );
  return {
    store,
    writer,
    over: { observer: writer.observer, archive: toArchive(ground) },
    settled: () => writer.settled(AbortSignal.timeout(30_000)),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function isOf({ plan: { workflow } }: LoadedPlan, planHash: Uint8Array): boolean {
  return createHash("sha256").update(workflow).digest().equals(planHash);
}

async function statesOf(store: RunStore): Promise<ReadonlyMap<string, Run_State>> {
  const rows = await store.list({ filter: everyRun, after: undefined, limit: 1000 });
  return new Map(rows.map(({ id, state }) => [id, state]));
}

async function countsOf(store: RunStore): Promise<readonly (readonly [number, number])[]> {
  return (await store.count(everyRun)).map(({ state, runs }) => [state, runs] as const);
}

test("a run is listed soon after its start, and its row follows it: incident, retry, end", async () => {
  await using server = await startNats();
  await using index = await openIndex(server.url, temporary);
  const { store } = index;
  await using orchestrator = await openOrchestrator(server.url, plans, { partitions, over: index.over });
  let isBroken = true;
  await using _ = await openFakeSidecar(server.url, () => (isBroken ? { code: code.UNAVAILABLE } : "complete"));
  const waiting = await orchestrator.begin(slow);
  const runId = await orchestrator.begin(pausing, "k-1");
  await expect
    .poll(() => statesOf(store), patience)
    .toEqual(
      new Map([
        [waiting, Run_State.RUNNING],
        [runId, Run_State.PAUSED],
      ]),
    );
  expect(await store.incidents(everyRun, 10)).toMatchObject([
    { workflow: "test.v1.Flows/Pausing", place: "pay", code: code.UNAVAILABLE, runs: 1, runId },
  ]);
  isBroken = false;
  const event = { step: "", compensation: false, reason: "", actor: "", requestId: "r", backoff: false };
  await orchestrator.processor.front.request(runId, { kind: "retry", event }, AbortSignal.timeout(10_000));
  await expect
    .poll(() => statesOf(store), patience)
    .toMatchObject(
      new Map([
        [waiting, Run_State.RUNNING],
        [runId, Run_State.COMPLETED],
      ]),
    );
  expect(await store.incidents(everyRun, 10)).toEqual([]);
  expect(await countsOf(store)).toEqual([
    [Run_State.COMPLETED, 1],
    [Run_State.RUNNING, 1],
  ]);
});

/** Starts so many runs, some at a time; their ids. */
function load(orchestrator: Awaited<ReturnType<typeof openOrchestrator>>, count: number) {
  const runs: RunId[] = [];
  const worked = (async () => {
    while (runs.length < count) {
      runs.push(...(await Promise.all(Array.from({ length: 4 }, () => orchestrator.begin(plan)))));
      await pause(10);
    }
  })();
  return {
    runs,
    reached: async (wanted: number): Promise<void> => {
      await expect.poll(() => runs.length, patience).toBeGreaterThan(wanted);
    },
    ended: async (): Promise<readonly RunId[]> => {
      await worked;
      for (const runId of runs) {
        const waited = await orchestrator.processor.front.wait(runId, AbortSignal.timeout(20_000));
        expect(waited.kind).toBe("ended");
      }
      return runs;
    },
  };
}

test("an index that is begun anew under load, and one that is behind, miss no run", async () => {
  await using server = await startNats();
  // Three rows in memory, and few records at a time: most is read from the log.
  await using index = await openIndex(server.url, temporary, { pendingMax: 3, windowMax: 100 });
  await using orchestrator = await openOrchestrator(server.url, plans, { partitions, over: index.over });
  await using _ = await openFakeSidecar(server.url);
  const loading = load(orchestrator, 60);
  await loading.reached(20);
  await index.writer.rebuild();
  await loading.reached(40);
  await index.writer.rebuild();
  const runs = await loading.ended();
  await expect.poll(() => countsOf(index.store), patience).toEqual([[Run_State.COMPLETED, runs.length]]);
  await index.settled();
  expect([...(await statesOf(index.store)).keys()].toSorted()).toEqual([...runs].toSorted());
});

test("a PostgreSQL that is killed and emptied under load holds up no run, and has them all once it is back", async () => {
  await using server = await startNats();
  await using postgres = await startPostgres();
  await using index = await openIndex(
    server.url,
    { kind: "postgres", url: postgres.url },
    { pendingMax: 40, checkMs: 200 },
  );
  await using orchestrator = await openOrchestrator(server.url, plans, { partitions, over: index.over });
  await using _ = await openFakeSidecar(server.url);
  const loading = load(orchestrator, 100);
  await loading.reached(20);
  await postgres.kill9();
  await expect(index.store.list({ filter: everyRun, after: undefined, limit: 1 })).rejects.toThrow(/PostgreSQL/);
  // It is away, and runs start and end.
  await loading.reached(50);
  const last = loading.runs.at(-1);
  assert(last !== undefined);
  expect((await orchestrator.processor.front.wait(last, AbortSignal.timeout(10_000))).kind).toBe("ended");
  await postgres.restart();
  await expect
    .poll(async () => [...(await statesOf(index.store).catch(() => new Map())).keys()], patience)
    .toSatisfy((ids: readonly string[]) => ids.includes(last));
  // Somebody throws the tables away.
  const drop = "DROP TABLE runs, counts, incidents, cursors, schema_version";
  // Where it and a writer wait for each other, PostgreSQL ends one of them.
  const dropped = () =>
    postgres.sql(drop).then(
      () => true,
      (error: Error) => /does not exist/.test(error.message),
    );
  await expect.poll(dropped, patience).toBe(true);
  const runs = await loading.ended();
  await expect
    .poll(() => countsOf(index.store).catch(() => []), patience)
    .toEqual([[Run_State.COMPLETED, runs.length]]);
  expect([...(await statesOf(index.store)).keys()].toSorted()).toEqual([...runs].toSorted());
}, 60_000);

test("each of two orchestrators with an index of its own has the other's runs, before and after a takeover", async () => {
  await using server = await startNats();
  await using ours = await openIndex(server.url, temporary);
  await using theirs = await openIndex(server.url, temporary);
  const fast: Partial<Bounds> = { silenceMs: 500 };
  const first = await openOrchestrator(server.url, plans, { partitions, over: { ...ours.over, bounds: fast } });
  await expect.poll(() => first.processor.owned().length, patience).toBe(partitions);
  await using second = await openOrchestrator(server.url, plans, {
    partitions,
    over: { ...theirs.over, bounds: fast },
  });
  await using _ = await openFakeSidecar(server.url);
  const runs = await Promise.all(Array.from({ length: 6 }, () => first.begin(plan)));
  const expected = [[Run_State.COMPLETED, 6]];
  // Which of them has which partition by now is up to them.
  for (const { store, writer } of [ours, theirs]) {
    await writer.want(AbortSignal.timeout(10_000));
    await expect.poll(() => countsOf(store), patience).toEqual(expected);
  }
  await first.kill();
  await expect.poll(() => second.processor.owned().length, patience).toBe(partitions);
  const more = await Promise.all(Array.from({ length: 3 }, () => second.begin(plan)));
  await expect
    .poll(() => statesOf(theirs.store), patience)
    .toEqual(new Map([...runs, ...more].map((id) => [id, Run_State.COMPLETED])));
});

test("a run is archived before its log goes, and waits for an archive that is away", async () => {
  await using server = await startNats();
  const bounds = { retentionMs: 300, endedIdleMs: 0, idleMs: 200, sweepEveryMs: 50 };
  await using index = await openIndex(server.url, temporary, {}, 300);
  const { store } = index;
  let isAway = true;
  const archive = vi.fn<Archive>(async (runId) => {
    if (isAway) throw new Error("away");
    await index.over.archive(runId);
  });
  await using orchestrator = await openOrchestrator(server.url, plans, {
    partitions,
    over: { observer: index.over.observer, archive, bounds },
  });
  await using _ = await openFakeSidecar(server.url);
  const runId = await orchestrator.begin(plan, "k-1");
  const { front, counts } = orchestrator.processor;
  await front.wait(runId, AbortSignal.timeout(10_000));
  const history = await front.history(runId, 0, 100);
  await expect.poll(() => archive.mock.calls.length, patience).toBeGreaterThan(1);
  expect(counts.deletions).toBe(0);
  expect(await front.get(runId)).toMatchObject({ kind: "run" });
  isAway = false;
  await expect.poll(() => front.get(runId), patience).toEqual({ kind: "unknown" });
  assert(history.kind === "history");
  const kept = await readArchived(store, runId);
  const told = ({ sequence, kind, step }: HistoryEvent): unknown => [sequence, kind, step];
  expect(kept?.events.map(told)).toEqual(history.events.map(told));
  expect(kept?.run).toMatchObject({ runId, key: "k-1", state: Run_State.COMPLETED });
  expect(kept?.run?.steps.map(({ path }) => path)).toEqual(["a", "b"]);
  expect(kept?.steps.map(({ step, details }) => [step, details?.attempts.map(({ result }) => result)])).toEqual([
    ["a", [StepAttempt_Result.COMPLETED]],
    ["b", [StepAttempt_Result.COMPLETED]],
  ]);
});
