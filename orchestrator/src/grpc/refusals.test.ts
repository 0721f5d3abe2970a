import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { AuditEntry, AuditEntry_Outcome as Outcome } from "../../../proto/gen/sidestep/v1/audit.ts";
import { countWithinMs, newRefusals, refusalsMax } from "./refusals.ts";

beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => void vi.useRealTimers());

/** Entries as a stream keeps them: the last form of each. */
function open() {
  const entries = new Map<string, AuditEntry>();
  let writes = 0;
  const put = (entry: AuditEntry): Promise<boolean> => {
    writes += 1;
    entries.set(entry.id, entry);
    return Promise.resolve(true);
  };
  const refusals = newRefusals(put, Date.now);
  let id = 0;
  const refuse = (method: string, target: string, actor = "vera"): Promise<void> => {
    const at = { seconds: BigInt(Math.floor(Date.now() / 1_000)), nanos: 0 };
    const code = "PERMISSION_DENIED";
    const entry = { id: String(++id), at, actor, method, target, code, outcome: Outcome.REFUSED };
    return refusals.note(AuditEntry.fromPartial(entry));
  };
  return { refuse, all: () => [...entries.values()], writes: () => writes };
}

test("a refusal is written at once; those alike are counted in its entry, which is seldom written anew", async () => {
  const { refuse, all, writes } = open();
  await refuse("Cancel", "run 1");
  expect(all()).toMatchObject([{ id: "1", times: 1, lastAt: undefined }]);
  vi.setSystemTime(5_000);
  for (let count = 0; count < 1_000; count++) await refuse("Cancel", "run 1");
  expect(writes()).toBe(1);
  vi.advanceTimersByTime(countWithinMs);
  expect(all()).toMatchObject([{ id: "1", times: 1_001, at: { seconds: 0n }, lastAt: { seconds: 5n } }]);
  expect(writes()).toBe(2);
});

test("whatever somebody is refused, it takes a bounded number of entries an hour, and the rest is counted", async () => {
  const { refuse, all } = open();
  for (let run = 0; run < 5_000; run++) await refuse(run % 2 === 0 ? "Cancel" : "Pause", `run ${run}`);
  await refuse("Cancel", "run 0");
  await refuse("Cancel", "run 0", "otto");
  vi.advanceTimersByTime(countWithinMs);
  const mine = all().filter(({ actor }) => actor === "vera");
  expect(mine).toHaveLength(refusalsMax);
  expect(mine[0]).toMatchObject({ target: "run 0", times: 2 });
  expect(mine.at(-1)).toMatchObject({
    method: "*",
    target: "",
    times: 5_000 - (refusalsMax - 1),
    code: "PERMISSION_DENIED",
  });
  expect(mine.reduce((sum, { times }) => sum + times, 0)).toBe(5_001);
  expect(all().filter(({ actor }) => actor === "otto")).toMatchObject([{ target: "run 0", times: 1 }]);
});

test("each hour begins anew", async () => {
  const { refuse, all } = open();
  await refuse("Cancel", "run 1");
  vi.setSystemTime(3_599_999);
  await refuse("Cancel", "run 1");
  vi.setSystemTime(3_600_000);
  await refuse("Cancel", "run 1");
  vi.advanceTimersByTime(countWithinMs);
  expect(all().map(({ times }) => times)).toEqual([2, 1]);
});
