import type {
  ActionSketch,
  BlockSketch,
  PlanSketch,
  StepSketch,
} from "../../../orchestrator/src/engine/testing/sketch.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { code } from "../../../proto/wire/status.ts";
import type { CodeName } from "../../../proto/wire/status.ts";

/** How a run has to end when nothing goes wrong but what its services answer. */
export interface Expected {
  readonly state: Run_State;
  readonly response: string;
  /** Of the failure; 0: none. */
  readonly code: number;
  /** Last part of the failing step's path. */
  readonly step: string;
  /** Steps whose calls had an effect. */
  readonly done: ReadonlySet<string>;
  /** Those that were undone afterwards. */
  readonly undone: ReadonlySet<string>;
}

/** What the attempts of a step are answered, the last for all that follow; absent: OK. */
export type Answers = ReadonlyMap<string, readonly CodeName[]>;

type Jump =
  | { readonly kind: "returned"; readonly value: string }
  | { readonly kind: "failed"; readonly code: number; readonly step: string };

/**
 * A definition evaluated as one would by hand, step by step, without a log, tasks, timers or a second thought. It understands what does not
 * depend on timing: no jump out of a branch, and answers that OK ends or that are final.
 */
export function interpret(plan: PlanSketch, answers: Answers): Expected {
  const done = new Map<string, StepSketch>();
  const jump = runBlock({ steps: plan.steps }, answers, done);
  const all = new Set(done.keys());
  if (jump?.kind === "failed") {
    const undone = new Set(
      plan.saga === "MANUAL" ? [] : [...done].flatMap(([id, { undo }]) => (undo === undefined ? [] : [id])),
    );
    const state = undone.size > 0 ? Run_State.COMPENSATED : Run_State.FAILED;
    return { state, response: "", code: jump.code, step: jump.step, done: all, undone };
  }
  const output = plan.outputStep === undefined || !done.has(plan.outputStep) ? "" : `${plan.outputStep}/0`;
  const response = jump === undefined ? output : jump.value;
  return { state: Run_State.COMPLETED, response, code: 0, step: "", done: all, undone: new Set() };
}

function runBlock({ steps }: BlockSketch, answers: Answers, done: Map<string, StepSketch>): Jump | undefined {
  for (const step of steps) {
    if (step.when === "false") continue;
    const jump = runAction(step, step.action, answers, done);
    if (jump !== undefined) return jump;
  }
  return undefined;
}

function runAction(
  step: StepSketch,
  action: ActionSketch,
  answers: Answers,
  done: Map<string, StepSketch>,
): Jump | undefined {
  const id = step.id ?? "";
  switch (action.kind) {
    case "call": {
      const last = answers.get(id)?.at(-1) ?? "OK";
      if (last !== "OK") return { kind: "failed", code: code[last], step: id };
      done.set(id, step);
      return undefined;
    }
    case "switch": {
      const block = action.cases.find(({ when }) => when === "true")?.block ?? action.otherwise;
      return block === undefined ? undefined : runBlock(block, answers, done);
    }
    case "parallel":
      for (const branch of action.branches) runBlock(branch, answers, done);
      return undefined;
    case "wait":
    case "until":
      return undefined;
    case "let":
      return action.value.startsWith("oops(") ? { kind: "failed", code: code.INTERNAL, step: id } : undefined;
    case "fail":
      return { kind: "failed", code: code[action.code ?? "UNKNOWN"], step: id };
    case "return":
      return { kind: "returned", value: action.value.slice(1, -1) };
    default:
      throw new Error(`the interpreter does not know the step kind of ${JSON.stringify(action)}`);
  }
}

/** Whether what a definition comes to does not depend on timing, and the interpreter knows all that is in it. */
export function isTimeless({ steps }: BlockSketch, isInBranch = false): boolean {
  return steps.every(({ action, undoBlock }) => {
    if (undoBlock !== undefined) return false;
    switch (action.kind) {
      case "switch":
        return [
          ...action.cases.map(({ block }) => block),
          ...(action.otherwise === undefined ? [] : [action.otherwise]),
        ].every((block) => isTimeless(block, isInBranch));
      case "parallel":
        return (action.need ?? 0) === 0 && action.branches.every((branch) => isTimeless(branch, true));
      case "call":
      case "wait":
      case "until":
        return true;
      case "let":
        return !isInBranch || !action.value.startsWith("oops(");
      case "fail":
      case "return":
        return !isInBranch;
      default:
        return false;
    }
  });
}

/** Ids of the calls of a block and whether they are in a branch. */
export function callsOf(
  { steps }: BlockSketch,
  isInBranch = false,
): readonly { readonly step: StepSketch; readonly isInBranch: boolean }[] {
  return steps.flatMap((step) => {
    const { action } = step;
    switch (action.kind) {
      case "call":
        return [{ step, isInBranch }];
      case "switch":
        return [
          ...action.cases.map(({ block }) => block),
          ...(action.otherwise === undefined ? [] : [action.otherwise]),
        ].flatMap((block) => callsOf(block, isInBranch));
      case "parallel":
        return action.branches.flatMap((branch) => callsOf(branch, true));
      default:
        return [];
    }
  });
}
