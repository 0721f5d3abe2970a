import { expect, test } from "vitest";
import { parseRunId } from "../../../proto/wire/runId.ts";
import { openEndedRuns } from "./endedRuns.ts";
import { toResidentRun } from "./residentRun.ts";
import type { ResidentRun } from "./residentRun.ts";

function endedRun(): ResidentRun {
  const runId = parseRunId("0198c0ffee0010008000000000000001");
  if (runId === undefined) throw new Error("it is one");
  return { ...toResidentRun(runId, 0), phase: "ready" };
}

test("runs go in the order of their ends, those that something holds up apart", () => {
  const ended = openEndedRuns();
  const [first, held, later] = [endedRun(), { ...endedRun(), unacked: 1 }, endedRun()];
  for (const [at, run] of [first, held, later].entries()) ended.note(run, at);
  expect(ended.take(1)).toEqual([first]);
  expect(ended.take(1)).toEqual([]);
  expect(ended.take(2)).toEqual([later]);
});

test("what ended before a clock was put back goes with what ends then", () => {
  const ended = openEndedRuns();
  const [before, after] = [endedRun(), endedRun()];
  ended.note(before, 3_600_000);
  ended.note(after, 1_000);
  expect(ended.take(1_000)).toEqual([before, after]);
});
