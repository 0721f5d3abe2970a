import { expect, test } from "vitest";
import { Run, Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import { findRetentionBreaches, lateMs } from "./retained.ts";
import type { OrderRecord } from "./verify.ts";

const retentionMs = 300_000;
const endedMs = 1_000_000;
const nothing = { runIds: new Set<string>(), keys: 0 };

/** An order whose run ended and was looked for so long after. */
function looked(afterMs: number, isDeleted: boolean): OrderRecord {
  const run = Run.fromPartial({
    runId: "r",
    state: Run_State.COMPLETED,
    endedAt: { seconds: BigInt(endedMs / 1_000), nanos: 0 },
  });
  return { orderId: "o", isDeclined: false, run, history: [], isDeleted, lookedMs: endedMs + afterMs };
}

test("a run that is there until its time, and gone soon after it, has nothing wrong", () => {
  const orders = [looked(retentionMs - 1, false), looked(retentionMs + 20_000, false), looked(retentionMs, true)];
  expect(findRetentionBreaches(orders, { ...nothing, keys: 2 }, retentionMs)).toEqual([]);
});

test("a run that is gone before its time is found", () => {
  expect(findRetentionBreaches([looked(retentionMs - 1, true)], nothing, retentionMs)).toEqual([
    "order o, run r: deleted within 299999 ms of its end",
  ]);
});

test("a run that is there long after its time is found", () => {
  expect(
    findRetentionBreaches([looked(retentionMs + lateMs + 1, false)], { ...nothing, keys: 1 }, retentionMs),
  ).toEqual(["order o, run r: still there 420001 ms after its end"]);
});

test("what is stored of a deleted run, and a key without a run, is found", () => {
  const orders = [looked(retentionMs + lateMs + 1, true)];
  expect(findRetentionBreaches(orders, { runIds: new Set(["r"]), keys: 1 }, retentionMs)).toEqual([
    "order o, run r: deleted, and something of it is left",
    "1 keys of 0 runs",
  ]);
});
