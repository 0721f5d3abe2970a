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

/** What has happened so far. */
interface Journal {
  readonly answers: Answers;
  readonly done: Set<string>;
  /** What is to be undone when the run fails, oldest first: the names of the calls or messages that undo. */
  readonly undoable: string[][];
  readonly undone: Set<string>;
  /** Something was undone, be it by a call or by a block of none. */
  hasUndone: boolean;
  /** From where on the innermost try has something to undo. */
  tryFrom: number;
}

/**
 * A definition evaluated as one would by hand, step by step, without a log, tasks, timers or a second thought. It understands what does not
 * depend on timing: no jump out of a branch, and answers that OK ends or that are final.
 */
export function interpret(plan: PlanSketch, answers: Answers): Expected {
  const journal: Journal = {
    answers,
    done: new Set(),
    undoable: [],
    undone: new Set(),
    hasUndone: false,
    tryFrom: 0,
  };
  const { done, undone } = journal;
  const jump = runBlock({ steps: plan.steps }, journal);
  if (jump?.kind === "failed") {
    if (plan.saga !== "MANUAL") undoFrom(journal, 0);
    const state = journal.hasUndone ? Run_State.COMPENSATED : Run_State.FAILED;
    return { state, response: "", code: jump.code, step: jump.step, done, undone };
  }
  const output = plan.outputStep === undefined || !done.has(plan.outputStep) ? "" : `${plan.outputStep}/0`;
  const response = jump === undefined ? output : jump.value;
  return { state: Run_State.COMPLETED, response, code: 0, step: "", done, undone };
}

function runBlock({ steps }: BlockSketch, journal: Journal): Jump | undefined {
  for (const step of steps) {
    if (step.when === "false") continue;
    const jump = runAction(step.id ?? "", step.action, journal);
    if (jump !== undefined) return jump;
    if (step.undo !== undefined) journal.undoable.push([step.id ?? ""]);
    else if (step.undoBlock !== undefined) journal.undoable.push(step.undoBlock.steps.map(({ id }) => id ?? ""));
  }
  return undefined;
}

function undoFrom(journal: Journal, from: number): void {
  for (const names of journal.undoable.splice(from)) {
    journal.hasUndone = true;
    for (const name of names) journal.undone.add(name);
  }
}

function runAction(id: string, action: ActionSketch, journal: Journal): Jump | undefined {
  switch (action.kind) {
    case "call": {
      const last = journal.answers.get(id)?.at(-1) ?? "OK";
      if (last !== "OK") return { kind: "failed", code: code[last], step: id };
      journal.done.add(id);
      return undefined;
    }
    case "switch": {
      const block = action.cases.find(({ when }) => when === "true")?.block ?? action.otherwise;
      return block === undefined ? undefined : runBlock(block, journal);
    }
    case "parallel":
      for (const branch of action.branches) runBlock(branch, journal);
      return undefined;
    case "forEach":
      for (let pass = countOf(action.in); pass > 0; pass--) runBlock(action.body, journal);
      return undefined;
    case "loop":
      for (let pass = action.max; pass > 0; pass--) {
        const jump = runBlock(action.body, journal);
        if (jump !== undefined) return jump;
      }
      return undefined;
    case "try":
      return runTry(action, journal);
    case "compensateNow":
      undoFrom(journal, journal.tryFrom);
      return undefined;
    case "wait":
    case "until":
    case "emit":
    case "yield":
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

/** A return leaves it at once; `finally` comes after all else, and a failure of its own is the one that counts. */
function runTry(action: Extract<ActionSketch, { readonly kind: "try" }>, journal: Journal): Jump | undefined {
  const outer = journal.tryFrom;
  journal.tryFrom = journal.undoable.length;
  let jump = runBlock(action.body, journal);
  if (jump?.kind === "failed") {
    const failed = jump.code;
    const caught = action.catches?.find(({ codes }) => codes === undefined || codes.some((it) => code[it] === failed));
    if (caught !== undefined) jump = runBlock(caught.block, journal);
  }
  if (jump?.kind !== "returned" && action.finally !== undefined) jump = runBlock(action.finally, journal) ?? jump;
  journal.tryFrom = outer;
  return jump;
}

/** How many items a list has. */
function countOf(list: string): number {
  return Number(/^items\((\d+)\)$/.exec(list)?.[1]);
}

/** Whether what a definition comes to does not depend on timing, and the interpreter knows all that is in it. */
export function isTimeless({ steps }: BlockSketch, isInBranch = false): boolean {
  return steps.every(({ action }) => {
    if (action.kind === "parallel" && (action.need ?? 0) > 0) return false;
    if (!blocksOf(action).every(({ block, isBranch }) => isTimeless(block, isInBranch || isBranch))) return false;
    switch (action.kind) {
      case "switch":
      case "parallel":
      case "forEach":
      case "loop":
      case "try":
      case "call":
      case "wait":
      case "until":
      case "emit":
      case "yield":
        return true;
      case "let":
        return !isInBranch || !action.value.startsWith("oops(");
      case "fail":
      case "return":
      case "compensateNow":
        return !isInBranch;
      case "signal":
      case "approve":
      case "run":
        return false;
    }
  });
}

/** The blocks of a step, and whether others run beside them. */
function blocksOf(action: ActionSketch): readonly { readonly block: BlockSketch; readonly isBranch: boolean }[] {
  const inside = (...blocks: readonly (BlockSketch | undefined)[]): ReturnType<typeof blocksOf> =>
    blocks.flatMap((block) => (block === undefined ? [] : [{ block, isBranch: false }]));
  switch (action.kind) {
    case "switch":
      return inside(...action.cases.map(({ block }) => block), action.otherwise);
    case "parallel":
      return action.branches.map((block) => ({ block, isBranch: true }));
    case "forEach":
      return [{ block: action.body, isBranch: true }];
    case "loop":
      return inside(action.body);
    case "try":
      return inside(action.body, ...(action.catches ?? []).map(({ block }) => block), action.finally);
    default:
      return [];
  }
}

/** Ids of the calls of a block and whether they are in a branch. */
export function callsOf(
  { steps }: BlockSketch,
  isInBranch = false,
): readonly { readonly step: StepSketch; readonly isInBranch: boolean }[] {
  return steps.flatMap((step) => [
    ...(step.action.kind === "call" ? [{ step, isInBranch }] : []),
    ...blocksOf(step.action).flatMap(({ block, isBranch }) => callsOf(block, isInBranch || isBranch)),
  ]);
}
