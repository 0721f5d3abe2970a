import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { advance } from "../engine/advance.ts";
import { newRun } from "../engine/state.ts";
import { makePlan } from "../engine/testing/plan.ts";
import { eventAt, makeStarted, outcomeAt, testRunId } from "../engine/testing/records.ts";
import { parsePlan } from "../engine/testing/script.ts";
import type { Span } from "./span.ts";
import { spansOfTurn } from "./spans.ts";
import { renderTree } from "./tree.ts";

const sha256 = (text: string): Uint8Array => createHash("sha256").update(text).digest();

/** The spans of a run in which each call completes 10 ms after it was asked for, one after the other. */
function trace(plan: string): readonly Span[] {
  const loaded = makePlan(parsePlan(plan.trim().split("\n")));
  const state = newRun(testRunId);
  const spans: Span[] = [];
  const records = [eventAt(1, 0, { $case: "runStarted", value: makeStarted() })];
  for (const record of records) {
    const turn = advance(loaded, state, record);
    spans.push(...spansOfTurn(state, turn.transitions, sha256));
    for (const command of turn.commands) {
      const [sequence, atMs] = [records.length + 1, records.length * 10];
      if (command.kind === "publishTask") {
        const completed = { $case: "completed", value: new TextEncoder().encode("x") } as const;
        records.push(outcomeAt(sequence, atMs, command.attempt, completed));
      }
      if (command.kind === "endRun") records.push(eventAt(sequence, atMs, { $case: "runEnded", value: command.ended }));
    }
  }
  return spans;
}

/** Names below each other; nothing else of the tree. */
function treeOf(spans: readonly Span[]): readonly string[] {
  const shown = spans.map((span) => ({ ...span, service: "", error: undefined, notes: [] }));
  return renderTree(shown).map((line) => line.replace(/ {2}\S*( {2})?(internal|client|server).*$/, ""));
}

test("each pass of a loop has spans of its own below the loop's, and each has an id of its own", () => {
  const spans = trace(`
step words loop max=2
  step said call x.X/Say
`);
  expect(treeOf(spans)).toEqual([
    "test.v1.Workflow/Run",
    "├─ run started",
    "└─ words",
    "   ├─ words[0]/said",
    "   │  └─ x.X/Say",
    "   └─ words[1]/said",
    "      └─ x.X/Say",
  ]);
  expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length);
});

test("passes inside of passes stand below the step that makes them", () => {
  const spans = trace(`
step orders for_each in=['a','b'] as=order atOnce=1
  step tries loop max=2
    step said call x.X/Say
`);
  expect(treeOf(spans)).toEqual([
    "test.v1.Workflow/Run",
    "├─ run started",
    "└─ orders",
    "   ├─ orders[0]/tries",
    "   │  ├─ orders[0]/tries[0]/said",
    "   │  │  └─ x.X/Say",
    "   │  └─ orders[0]/tries[1]/said",
    "   │     └─ x.X/Say",
    "   └─ orders[1]/tries",
    "      ├─ orders[1]/tries[0]/said",
    "      │  └─ x.X/Say",
    "      └─ orders[1]/tries[1]/said",
    "         └─ x.X/Say",
  ]);
  expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length);
});

test("the steps of a block that undoes stand below it, and it stands below the run", () => {
  const spans = trace(`
step both parallel
  branch
    step ship call x.X/Ship
      undo
        step recall call x.X/Recall
        step note let 'n'
step last fail ABORTED message='last'
`);
  expect(treeOf(spans)).toEqual([
    "test.v1.Workflow/Run",
    "├─ run started",
    "├─ both",
    "│  └─ ship",
    "│     └─ x.X/Ship",
    "├─ last",
    "└─ compensate ship",
    "   ├─ ship~undo/recall",
    "   │  └─ x.X/Recall",
    "   └─ ship~undo/note",
  ]);
  const kinds = spans.map(({ attributes }) => attributes["sidestep.step.kind"]);
  expect(kinds).toEqual([
    undefined,
    undefined,
    "call",
    "parallel",
    "fail",
    undefined,
    "call",
    "let",
    "block",
    undefined,
  ]);
});

test("a run that is told again has the same spans, and a pass that was forgotten has left its own", () => {
  const plan = "step words loop max=20\n  step said call x.X/Say";
  const spans = trace(plan);
  expect(spans.filter(({ name }) => name.endsWith("/said"))).toHaveLength(20);
  expect(trace(plan)).toEqual(spans);
});
