import { expect, test } from "vitest";
import { Run, Run_State, StepStatus, StepStatus_State } from "../../proto/gen/sidestep/v1/run.ts";
import { treeLines } from "./runTree.ts";

const step = (path: string, state: StepStatus_State): StepStatus => StepStatus.fromPartial({ path, state });
const run = (steps: readonly StepStatus[]): Run => ({
  ...Run.fromPartial({ runId: "r", workflow: "a.B/C", state: Run_State.RUNNING }),
  steps,
});

test("a run is drawn as its steps are nested, no line longer than the screen is wide", () => {
  const steps = [
    step("pack", StepStatus_State.RUNNING),
    step("pack/weigh", StepStatus_State.COMPLETED),
    step("pack/a-name-that-is-much-too-long-for-it", StepStatus_State.RUNNING),
  ];
  const lines = treeLines(run(steps), { columns: 24, rows: 20 }, 0, false);
  expect(lines).toHaveLength(4);
  expect(lines[2]).toMatch(/^ {4}weigh/);
  for (const line of lines) expect(Array.from(line).length).toBeLessThanOrEqual(24);
});

test("steps that are done are folded when they are more than the screen has rows, those at work stay", () => {
  const steps = Array.from({ length: 100 }, (_, at) =>
    step(`s${at}`, at < 97 ? StepStatus_State.COMPLETED : StepStatus_State.RUNNING),
  );
  const lines = treeLines(run(steps), { columns: 80, rows: 13 }, 0, false);
  expect(lines.length).toBeLessThanOrEqual(12);
  expect(lines[1]).toContain("91 steps that are done");
  expect(lines.join("\n")).toContain("s97");
});

test("control characters of names never reach the terminal", () => {
  const lines = treeLines(run([step("a\u001b[2J\nb", StepStatus_State.RUNNING)]), { columns: 80, rows: 10 }, 0, false);
  expect(Array.from(lines.join("")).filter((character) => character < " ")).toEqual([]);
});
