import type { CallSketch, PlanSketch, StepSketch } from "../../../orchestrator/src/engine/testing/sketch.ts";
import type { CodeName } from "../../../proto/wire/status.ts";

/** A definition whose crash-free run is known, with what its services answer. */
export interface Reference {
  readonly name: string;
  readonly plan: PlanSketch;
  /** By step, "undo:" before it for its undoing: answers of its attempts, the last for all that follow. Absent: OK. */
  readonly answers?: Readonly<Record<string, readonly CodeName[]>>;
  /** A crash may leave it in doubt, and then it ends so. */
  readonly inDoubt?: true;
}

function call(id: string, more: Partial<CallSketch> = {}, undoes = true): StepSketch {
  const undo = {
    method: "test.v1.Service/Undo",
    timeoutMs: 1_000,
    attempts: 20,
    backoffMs: 50,
    exhausted: "PAUSE",
  } as const;
  const action = {
    kind: "call",
    method: `test.v1.Service/${id}`,
    timeoutMs: 1_000,
    attempts: 5,
    backoffMs: 50,
    exhausted: "FAIL",
    ...more,
  } as const;
  return { id, action, undo: undoes ? undo : undefined };
}

const fail: StepSketch = { id: "enough", action: { kind: "fail", code: "ABORTED", message: "'enough'" } };

/** The reference definitions: every kind of step, every kind of end. */
export const references: readonly Reference[] = [
  { name: "three calls", plan: { steps: [call("a"), call("b"), call("c")], outputStep: "c" } },
  {
    name: "retries",
    plan: { steps: [call("a"), call("b")], outputStep: "b" },
    answers: { a: ["ABORTED", "UNAVAILABLE", "OK"] },
  },
  { name: "a saga that is undone", plan: { steps: [call("a"), call("b"), call("c"), fail] } },
  {
    name: "a call that fails for good",
    plan: { steps: [call("a"), call("b"), call("c")] },
    answers: { c: ["NOT_FOUND"] },
  },
  { name: "retries that end", plan: { steps: [call("a"), call("b", { attempts: 2 })] }, answers: { b: ["ABORTED"] } },
  {
    name: "an undoing that is tried again",
    plan: { steps: [call("a"), call("b"), fail] },
    answers: { "undo:b": ["UNAVAILABLE", "INTERNAL", "OK"] },
  },
  {
    name: "branches side by side",
    plan: {
      steps: [
        {
          id: "both",
          action: { kind: "parallel", branches: [{ steps: [call("a"), call("b")] }, { steps: [call("c")] }] },
        },
        call("d"),
      ],
      outputStep: "d",
    },
  },
  {
    name: "branches that are undone",
    plan: {
      saga: "PARALLEL",
      steps: [
        { id: "both", action: { kind: "parallel", branches: [{ steps: [call("a")] }, { steps: [call("b"), fail] }] } },
        call("never"),
      ],
    },
  },
  {
    name: "a choice",
    plan: {
      steps: [
        call("a"),
        {
          id: "choose",
          action: {
            kind: "switch",
            cases: [{ when: "has(steps.a)", block: { steps: [call("yes")] } }],
            otherwise: { steps: [call("no")] },
          },
        },
        { id: "skipped", when: "false", action: { kind: "let", value: "'x'" } },
      ],
    },
  },
  {
    name: "short and long waits",
    plan: {
      steps: [
        call("a"),
        { id: "short", action: { kind: "wait", forMs: 300 } },
        { id: "long", action: { kind: "wait", forMs: 4_000 } },
        call("b"),
      ],
      outputStep: "b",
    },
  },
  {
    name: "an early return",
    plan: { steps: [call("a"), { id: "early", action: { kind: "return", value: "'early'" } }, call("never")] },
  },
  {
    name: "a call that must not be repeated",
    plan: { steps: [call("a"), call("once", { doubt: "FAIL" }), call("b")], outputStep: "b" },
    inDoubt: true,
  },
  {
    name: "a run that takes too long",
    plan: { timeoutMs: 30_000, steps: [call("a"), { id: "long", action: { kind: "wait", forMs: 60_000 } }] },
  },
];
