import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Incident_Reason, Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { code } from "../../../proto/wire/status.ts";
import { startPostgres } from "../../../test/support/postgres.ts";
import { parseFilter } from "../compile/filter/parseFilter.ts";
import type { RunFilter } from "../compile/filter/runFilter.ts";
import type { PruneTimes, RunStore } from "../processor/runStore.ts";
import { deletedRow } from "../projection/runRow.ts";
import type { IncidentRow, RunRow } from "../projection/runRow.ts";
import { openRunStore } from "./store.ts";
import type { StorePlace } from "./store.ts";
import { makeRow } from "./testing.ts";

const nowMs = Date.parse("2026-01-02T00:00:00Z");
const log = { created: "2026-01-01", lastSequence: 1_000_000 };

function filterOf(source: string): RunFilter {
  const parsed = parseFilter(source, nowMs);
  if (parsed.kind === "wrong") throw new Error(parsed.message);
  return parsed.filter;
}

const incident: IncidentRow = {
  step: "pay",
  place: "pay",
  compensation: false,
  reason: Incident_Reason.EXHAUSTED,
  code: code.UNAVAILABLE,
  message: "no bank",
  sinceMs: nowMs,
  attempts: 8,
};

describe.each<{ name: string; open: () => Promise<{ place: StorePlace; close: () => Promise<void> }> }>([
  { name: "sqlite", open: async () => ({ place: { kind: "sqlite", file: "" }, close: async () => undefined }) },
  {
    name: "postgres",
    open: async () => {
      const postgres = await startPostgres();
      return { place: { kind: "postgres", url: postgres.url }, close: async () => postgres[Symbol.asyncDispose]() };
    },
  },
])("$name", ({ open }) => {
  let store: RunStore;
  let close: () => Promise<void>;
  let partition = 0;
  beforeAll(async () => {
    const opened = await open();
    close = opened.close;
    store = await openRunStore(opened.place);
  }, 60_000);
  afterAll(async () => {
    await store[Symbol.asyncDispose]();
    await close();
  });

  /** Rows in a partition of their own, of a workflow of their own. */
  async function written(rows: readonly RunRow[]): Promise<{ partition: number; workflow: string; epoch: number }> {
    partition++;
    const workflow = `shop.v1.Orders/Of${partition}`;
    const { epoch } = await store.cursor(partition, log);
    await store.write({
      partition,
      epoch,
      upTo: 100,
      rows: rows.map((row) => ({
        ...row,
        id: String(partition).padStart(3, "f") + row.id.slice(3),
        partition,
        workflow,
      })),
    });
    return { partition, workflow, epoch };
  }

  async function keysOf(filter: string): Promise<readonly string[]> {
    const rows = await store.list({ filter: filterOf(filter), after: undefined, limit: 100 });
    return rows.map(({ key }) => key);
  }

  test("a row comes back as it was written", async () => {
    const row = makeRow(1, {
      state: Run_State.PAUSED,
      held: true,
      endedMs: nowMs,
      deadlineMs: nowMs + 5,
      traceId: "a".repeat(32),
      error: { code: code.UNAVAILABLE, message: "no bank", step: "pay" },
      parentId: "b".repeat(32),
      parentStep: "each[3]/child",
      attributes: { customer: '"c-1 \\"quoted\\""', total: "12.5", vip: "true" },
      numbers: { total: 12.5 },
      incidents: [incident],
      approvals: 2,
    });
    const { workflow, partition: own } = await written([row]);
    const [listed] = await store.list({ filter: filterOf(`workflow == "${workflow}"`), after: undefined, limit: 2 });
    expect(listed).toEqual({ ...row, id: listed?.id, partition: own, workflow, numbers: {} });
  });

  test("a row never takes the place of a later one, and counts follow what stands there", async () => {
    const { workflow, epoch, partition: own } = await written([makeRow(1), makeRow(2), makeRow(3)]);
    const filter = filterOf(`workflow == "${workflow}"`);
    const ended = await store.list({ filter, after: undefined, limit: 3 });
    const later = ended.map((row) => ({ ...row, sequence: 50, state: Run_State.COMPLETED, endedMs: nowMs }));
    await store.write({ partition: own, epoch, upTo: 50, rows: later.slice(0, 2) });
    // The same again, and what was before.
    await store.write({ partition: own, epoch, upTo: 50, rows: later.slice(0, 2) });
    await store.write({ partition: own, epoch, upTo: 20, rows: ended });
    const counts = await store.count(filter);
    expect(counts.map(({ state, runs }) => [state, runs])).toEqual([
      [Run_State.RUNNING, 1],
      [Run_State.COMPLETED, 2],
    ]);
    // Counted one by one they are the same.
    expect(await store.count(filterOf(`workflow == "${workflow}" && started > timestamp("2020-01-01")`))).toEqual(
      counts,
    );
    // A cursor does not go back.
    expect(await store.cursor(own, log)).toMatchObject({ sequence: 100 });
  });

  test("another revision is told once rows were written or begun anew, and the same while nothing was", async () => {
    const { partition: own, epoch } = await written([makeRow(1)]);
    const before = await store.revision();
    expect(await store.revision()).toBe(before);
    // Its rows may be written before the cursor moves.
    await store.write({ partition: own, epoch, upTo: undefined, rows: [makeRow(2, { partition: own })] });
    const between = await store.revision();
    await store.write({ partition: own, epoch, upTo: 101, rows: [] });
    const after = await store.revision();
    expect(new Set([before, between, after]).size).toBe(3);
    await store.rebuild([own]);
    expect(await store.revision()).not.toBe(after);
  });

  test("pages follow each other, newest first, without gaps and doubles", async () => {
    const rows = Array.from({ length: 25 }, (_, number) =>
      // Many at the same moment.
      makeRow(number, { startedMs: nowMs + Math.floor(number / 10), key: `p-${number}` }),
    );
    const { workflow } = await written(rows);
    const filter = filterOf(`workflow == "${workflow}"`);
    const seen: RunRow[] = [];
    for (let page = await store.list({ filter, after: undefined, limit: 7 }); page.length > 0;) {
      seen.push(...page);
      const last = page.at(-1);
      page = last === undefined ? [] : await store.list({ filter, after: last, limit: 7 });
    }
    expect(seen.map(({ key }) => key)).toEqual(rows.map(({ key }) => key).toReversed());
  });

  test("filters find what they say, and what has no value equals nothing", async () => {
    const { workflow } = await written([
      makeRow(1, {
        key: "a",
        state: Run_State.FAILED,
        endedMs: nowMs - 60_000,
        error: { code: code.NOT_FOUND, message: "no such 100% account_1", step: "pay" },
        attributes: { customer: '"c-1"', total: "10.5", vip: "true", due: '"2026-03-01T00:00:00Z"' },
        numbers: { total: 10.5, due: Date.parse("2026-03-01T00:00:00Z") },
      }),
      makeRow(2, {
        key: "b",
        version: 2,
        attributes: { customer: '"C-1"', total: '"9"', vip: "false" },
        numbers: { total: 9 },
      }),
      makeRow(3, { key: "c", held: true, approvals: 1, attributes: { customer: '"d\\"1"', total: '"many"' } }),
      makeRow(4, { key: "d", parentId: "b".repeat(32) }),
    ]);
    const found = (filter: string): Promise<readonly string[]> => keysOf(`workflow == "${workflow}" && (${filter})`);
    const table: readonly (readonly [string, readonly string[]])[] = [
      ["state == FAILED", ["a"]],
      ["state != FAILED", ["d", "c", "b"]],
      ["state in [FAILED, RUNNING] && version == 1", ["d", "c", "a"]],
      ["version > 1.5 || version > 99999999999", ["b"]],
      ["held", ["c"]],
      ["!held", ["d", "b", "a"]],
      ["code == NOT_FOUND", ["a"]],
      ["code != NOT_FOUND", ["d", "c", "b"]],
      ['ended < now - duration("30s")', ["a"]],
      ['!(ended < now - duration("30s"))', ["d", "c", "b"]],
      ['started > timestamp("2026-01-01T00:00:02Z")', ["d", "c"]],
      ['attributes.customer == "c-1"', ["a"]],
      ['attributes.customer != "c-1"', ["d", "c", "b"]],
      ['attributes.customer.startsWith("c")', ["a"]],
      ['attributes.customer.endsWith("-1")', ["b", "a"]],
      [`attributes.customer.contains('"')`, ["c"]],
      ["attributes.total > 9", ["a"]],
      ["attributes.total <= 10.5", ["b", "a"]],
      ["!(attributes.total > 9)", ["d", "c", "b"]],
      ['attributes.due < timestamp("2026-04-01")', ["a"]],
      ["attributes.vip", ["a"]],
      ["attributes.vip == false", ["b"]],
      ["has(attributes.total) && !has(attributes.vip)", ["c"]],
      ['message.contains("100% account_")', ["a"]],
      ['message.contains("100_")', []],
      ['message.startsWith("No")', []],
      ['key in ["a", "d"]', ["d", "a"]],
      ["key in []", []],
      ["approvals > 0", ["c"]],
      [`parent == "${"b".repeat(32)}"`, ["d"]],
      [`key == "a' OR 1=1 --"`, []],
      ["true", ["d", "c", "b", "a"]],
      ["!true", []],
    ];
    for (const [filter, expected] of table) expect([filter, await found(filter)]).toEqual([filter, expected]);
  });

  test("incidents are grouped by workflow, step, code and reason, and go when they are left", async () => {
    const paused = { state: Run_State.PAUSED, incidents: [incident] };
    const inLoop = { ...incident, step: "each[3]/ship", place: "each/ship", sinceMs: nowMs + 5 };
    const {
      workflow,
      epoch,
      partition: own,
    } = await written([
      makeRow(1, paused),
      makeRow(2, { ...paused, incidents: [incident, inLoop, { ...inLoop, step: "each[4]/ship" }] }),
      makeRow(3, { ...paused, incidents: [{ ...incident, code: code.INTERNAL }] }),
    ]);
    const filter = filterOf(`workflow == "${workflow}"`);
    const grouped = async (): Promise<unknown> =>
      (await store.incidents(filter, 10)).map(({ place, code: number, incidents, runs }) => [
        place,
        number,
        incidents,
        runs,
      ]);
    expect(await grouped()).toEqual([
      ["pay", code.UNAVAILABLE, 2, 2],
      ["each/ship", code.UNAVAILABLE, 2, 1],
      ["pay", code.INTERNAL, 1, 1],
    ]);
    const rows = await store.list({ filter, after: undefined, limit: 10 });
    expect(rows.map(({ incidents }) => incidents.length)).toEqual([1, 3, 1]);
    const left = rows.map((row) => Object.assign(row, { sequence: 9, state: Run_State.RUNNING, incidents: [] }));
    await store.write({ partition: own, epoch, upTo: 100, rows: left.slice(0, 2) });
    expect(await grouped()).toEqual([["pay", code.UNAVAILABLE, 1, 1]]);
  });

  test("the run that a group names is one whose message it shows", async () => {
    const paused = (message: string) => ({ state: Run_State.PAUSED, incidents: [{ ...incident, message }] });
    const { workflow } = await written([makeRow(1, paused("a")), makeRow(2, paused("z")), makeRow(3, paused("m"))]);
    const filter = filterOf(`workflow == "${workflow}"`);
    const [group] = await store.incidents(filter, 10);
    const named = (await store.list({ filter, after: undefined, limit: 10 })).find(({ id }) => id === group?.runId);
    expect([group?.message, group?.runs]).toEqual([named?.incidents[0]?.message, 3]);
  });

  test("rows that are begun anew replace the old ones, which stay until then", async () => {
    const { workflow, epoch, partition: own } = await written([makeRow(1), makeRow(2)]);
    const filter = filterOf(`workflow == "${workflow}"`);
    const [first] = await store.list({ filter, after: undefined, limit: 1 });
    if (first === undefined) throw new Error("there is a row");
    await store.rebuild([own]);
    expect(await store.write({ partition: own, epoch, upTo: 500, rows: [] })).toBe("stale");
    const cursor = await store.cursor(own, log);
    expect(cursor).toEqual({ sequence: 0, epoch: epoch + 1 });
    expect(await store.list({ filter, after: undefined, limit: 9 })).toHaveLength(2);
    // An earlier position of the same run counts, for it is of now.
    await store.write({ partition: own, epoch: cursor.epoch, upTo: 5, rows: [{ ...first, sequence: 1, version: 7 }] });
    expect(await store.finish(own, cursor.epoch, 10)).toBe(1);
    expect(await store.count(filter)).toEqual([{ workflow, version: 7, state: Run_State.RUNNING, runs: 1 }]);
  });

  test("a cursor that is made tells that, once: rows of before it are not there", async () => {
    const fresh = 4_000;
    expect(await store.cursor(fresh, log)).toEqual({ sequence: 0, epoch: 1, isNew: true });
    expect(await store.cursor(fresh, log)).toEqual({ sequence: 0, epoch: 1 });
  });

  test("a log that is another one, or ends before what was read, is read anew", async () => {
    const { epoch, partition: own } = await written([makeRow(1)]);
    expect(await store.cursor(own, { ...log, lastSequence: 99 })).toEqual({ sequence: 0, epoch: epoch + 1 });
    expect(await store.cursor(own, { ...log, created: "later" })).toEqual({ sequence: 0, epoch: epoch + 2 });
    expect(await store.cursor(own, { ...log, created: "later" })).toEqual({ sequence: 0, epoch: epoch + 2 });
  });

  test("a deleted run goes with its incidents, its count and what the archive has of it", async () => {
    const ended = makeRow(2, { state: Run_State.FAILED, endedMs: 5 });
    const { partition: own, workflow, epoch } = await written([makeRow(1, { incidents: [incident] }), ended]);
    const filter = filterOf(`workflow == "${workflow}"`);
    const rows = await store.list({ filter, after: undefined, limit: 9 });
    const kept = rows.find(({ key }) => key === "o-2");
    if (kept === undefined) throw new Error("there is a row");
    const history = Uint8Array.of(1);
    await store.archive({ row: kept, history });
    const gone = rows.map(({ id }) => deletedRow(id, own, 9));
    for (let twice = 0; twice < 2; twice++)
      expect(await store.write({ partition: own, epoch, upTo: 9, rows: gone })).toBe("written");
    expect(await store.list({ filter, after: undefined, limit: 9 })).toEqual([]);
    expect(await store.count(filter)).toEqual([]);
    expect(await store.incidents(filter, 9)).toEqual([]);
    expect(await store.archived(kept.id)).toBeUndefined();
    expect(await store.remove(kept.id)).toBe(false);
    await store.archive({ row: kept, history });
    expect(await store.remove(kept.id)).toBe(true);
    expect(await store.archived(kept.id)).toBeUndefined();
  });

  test("what ended long ago goes, unless it is archived", async () => {
    const ended = { state: Run_State.COMPLETED, endedMs: 1000 };
    const { workflow, partition: own } = await written([makeRow(1, ended), makeRow(2, ended), makeRow(3)]);
    const filter = filterOf(`workflow == "${workflow}"`);
    const rows = await store.list({ filter, after: undefined, limit: 10 });
    const kept = rows.find(({ key }) => key === "o-2");
    if (kept === undefined) throw new Error("there is a row");
    const history = new Uint8Array([1, 2, 0, 255]);
    await store.archive({ row: kept, history });
    await store.archive({ row: kept, history });
    const before = { completedMs: 2000, failedMs: 0, ownMs: 0, ownEndMs: 0 };
    const prune = (archived: boolean): Promise<number> => store.prune({ partition: own, before, archived, limit: 10 });
    expect([await prune(false), await prune(false)]).toEqual([1, 0]);
    expect(await store.archived(kept.id)).toEqual(history);
    expect((await store.count(filter)).map(({ state, runs }) => [state, runs])).toEqual([
      [Run_State.RUNNING, 1],
      [Run_State.COMPLETED, 1],
    ]);
    expect(await prune(true)).toBe(1);
    expect(await store.archived(kept.id)).toBeUndefined();
  });

  test("rows go by how long their runs are kept, by end state and by workflow", async () => {
    const ended = (number: number, more: Partial<RunRow>): RunRow => makeRow(number, { endedMs: 1000, ...more });
    const { workflow, partition: own } = await written([
      ended(1, { state: Run_State.COMPLETED }),
      ended(2, { state: Run_State.FAILED }),
      ended(3, { state: Run_State.COMPLETED, keptMs: 500 }),
      ended(4, { state: Run_State.FAILED, keptMs: 5_000 }),
      makeRow(5),
    ]);
    const prune = (before: PruneTimes): Promise<number> =>
      store.prune({ partition: own, before, archived: true, limit: 10 });
    const left = () => keysOf(`workflow == "${workflow}"`);
    const never = { completedMs: 0, failedMs: 0, ownMs: 0, ownEndMs: 0 };
    expect(await prune(never)).toBe(0);
    expect(await prune({ ...never, failedMs: 2000 })).toBe(1);
    expect(await left()).toEqual(["o-5", "o-4", "o-3", "o-1"]);
    expect(await prune({ ...never, completedMs: 2000, ownMs: 1500, ownEndMs: 1500 })).toBe(1);
    expect(await prune({ ...never, ownMs: 1501, ownEndMs: 1000 })).toBe(0);
    expect(await prune({ ...never, ownMs: 1501, ownEndMs: 1500 })).toBe(1);
    expect(await left()).toEqual(["o-5", "o-4"]);
    expect(await prune({ ...never, ownMs: 9000, ownEndMs: 9000 })).toBe(1);
  });

  test("texts that a database can't take are written as far as they can be", async () => {
    const { workflow } = await written([
      makeRow(1, { key: "a\0b\uD800'; DROP TABLE runs; --", attributes: { customer: JSON.stringify("\0<script>") } }),
    ]);
    expect(await keysOf(`workflow == "${workflow}"`)).toEqual(["a\uFFFDb\uFFFD'; DROP TABLE runs; --"]);
    expect(await keysOf(`workflow == "${workflow}" && attributes.customer.contains("<script>")`)).toHaveLength(1);
  });
});
