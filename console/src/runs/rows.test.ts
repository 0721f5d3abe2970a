import { expect, test } from "vitest";
import { toRun } from "../api/run.ts";
import { joinPage, replaceRows } from "./rows.ts";
import type { Listed, Loaded } from "./rows.ts";

const row = (number: number, state = "RUNNING"): Listed => ({
  run: toRun({ runId: `r${number}`, startedAt: new Date(number * 1000).toISOString(), state }),
  errorStep: "",
  approvals: 0,
});
const loaded = (numbers: readonly number[], token: string): Loaded => ({
  rows: numbers.map((number) => row(number)),
  token,
  isWhole: token === "",
});
const ids = ({ rows }: Loaded): readonly string[] => rows.map(({ run }) => run.runId);

test("the first page takes the place of what it covers, and what was loaded behind it stays", () => {
  const joined = joinPage(loaded([9, 8, 7, 6, 5, 4], "behind 4"), loaded([11, 10, 8, 7], "behind 7"));
  expect(ids(joined)).toEqual(["r11", "r10", "r8", "r7", "r6", "r5", "r4"]);
  expect(joined).toMatchObject({ token: "behind 4", isWhole: false });
});

test("a first page that is all there is, or that reaches further than before, is taken as it is", () => {
  expect(ids(joinPage(loaded([3, 2, 1], ""), loaded([3], "")))).toEqual(["r3"]);
  expect(joinPage(loaded([9, 8], "behind 8"), loaded([9, 8, 7], "behind 7"))).toMatchObject({ token: "behind 7" });
});

test("rows that are read anew stand where they stood", () => {
  const rows = replaceRows([row(3), row(2), row(1)], [row(2, "COMPLETED")]);
  expect(rows.map(({ run }) => run.state)).toEqual(["RUNNING", "COMPLETED", "RUNNING"]);
});
