import { expect, test } from "vitest";
import { nameOf, overlay } from "./overlay.ts";
import type { StepState, Told } from "./overlay.ts";
import { makeBlock, makeStep } from "./testing.ts";

const told = (path: string, state: StepState, more: Partial<Told> = {}): Told => ({
  path,
  state,
  attempt: 1,
  compensation: false,
  ...more,
});

const steps = [
  makeStep("call", "reserve"),
  makeStep("switch", "which", {
    blocks: [makeBlock("CASE", [makeStep("call", "a")]), makeBlock("DEFAULT", [makeStep("call", "b")])],
  }),
  makeStep("for_each", "labels", { blocks: [makeBlock("BODY", [makeStep("call", "label")])] }),
];

test("passes of a step are counted, and the one that needs a look gives the state", () => {
  const marks = overlay(
    steps,
    [
      told("labels[0]/label", "COMPLETED"),
      told("labels[1]/label", "BACKING_OFF", { attempt: 3 }),
      told("labels[2]/label", "COMPLETED"),
    ],
    false,
  );
  expect(marks.steps.get("label")).toMatchObject({ state: "BACKING_OFF", passes: 3, attempts: 3 });
  expect(marks.steps.get("label")?.counts.get("COMPLETED")).toBe(2);
});

test("a way that was not gone is passed by, and what is still ahead is not", () => {
  const marks = overlay(steps, [told("reserve", "COMPLETED"), told("which", "RUNNING"), told("a", "RUNNING")], false);
  expect(marks.steps.get("b")).toMatchObject({ state: undefined, isPassedBy: true });
  expect(marks.steps.get("labels")).toMatchObject({ state: undefined, isPassedBy: false });
});

test("once the run has ended, all that has not begun is passed by", () => {
  expect(overlay(steps, [told("reserve", "FAILED")], true).steps.get("labels")).toMatchObject({ isPassedBy: true });
});

test("passes that are not told any more are not taken for passed by", () => {
  const marks = overlay(steps, [told("labels", "COMPLETED")], true);
  expect(marks.steps.get("label")).toMatchObject({ state: undefined, isPassedBy: false });
});

test("compensations have marks of their own", () => {
  const marks = overlay(
    steps,
    [told("reserve", "COMPLETED"), told("reserve", "RUNNING", { compensation: true })],
    false,
  );
  expect(marks.steps.get("reserve")?.state).toBe("COMPLETED");
  expect(marks.undos.get("reserve")?.state).toBe("RUNNING");
});

test("an edge is gone along when what is behind it has begun, or the way around when nothing beside it has", () => {
  const marks = overlay(steps, [told("reserve", "COMPLETED"), told("which", "COMPLETED")], false);
  expect(marks.isPassed({ kind: "begun", step: "which" })).toBe(true);
  expect(marks.isPassed({ kind: "done", step: "labels" })).toBe(false);
  expect(marks.isPassed({ kind: "around", step: "which", others: ["a"] })).toBe(true);
  expect(marks.isPassed({ kind: "around", step: "which", others: ["reserve"] })).toBe(false);
});

test("the name of a step is the last segment of its path", () => {
  expect(["charge", "labels[3]/label", "step[4].case[0].step[1]", "rounds[2]/inner[0]/step[1]"].map(nameOf)).toEqual([
    "charge",
    "label",
    "step[4].case[0].step[1]",
    "step[1]",
  ]);
});
