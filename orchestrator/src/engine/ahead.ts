import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { BlockPlan, LoadedPlan, StepPlan } from "./plan.ts";
import type { RunState } from "./state.ts";
import { isOpen } from "./step.ts";

/** Where a run has come to in its workflow's own block. */
export interface RunPlace {
  /** Name of the step that is open or begins next; empty: all are behind it. */
  readonly step: string;
  /** It is undone, or ends: nothing of the block begins any more. */
  readonly isStopping: boolean;
}

/** Where a run stands. */
export function placeOf({ body }: LoadedPlan, state: RunState): RunPlace {
  const isStopping = state.phase !== "forward";
  return { step: body.steps[positionIn(state)]?.name ?? "", isStopping };
}

/** Position in the workflow's own block of the step that is open or begins next. */
function positionIn({ body }: RunState): number {
  if (body === undefined) return 0;
  return body.current !== undefined && isOpen(body.current) ? body.position - 1 : body.position;
}

/**
 * Whether a run may yet make the call of a step, or the call that undoes it, wherever the step stands. A call whose request has been sent is
 * made again with the same request.
 */
export function mayYetCall(plan: LoadedPlan, state: RunState, step: string, isCompensation: boolean): boolean {
  if (state.phase === "ended" || state.phase === "ending" || state.phase === "void") return false;
  if (isCompensation) return mayYetUndo(state, step);
  if (state.phase !== "forward") return hasOpen(state, step);
  const root = plan.body.steps.findIndex((one) => isWithin(one, step));
  const position = positionIn(state);
  if (root !== position) return root > position;
  // Blocks may be entered again; a call of the block itself is open, or begins next.
  return true;
}

/** A step that has been undone is not undone again. */
function mayYetUndo(state: RunState, name: string): boolean {
  if (state.phase === "forward" || state.phase === "stopping") return true;
  const undone = [...state.compensations.values()].filter(({ plan }) => plan.name === name);
  return undone.length === 0 || undone.some(isOpen);
}

function hasOpen(state: RunState, name: string): boolean {
  return [...state.steps.values()].some((one) => one.plan.name === name && one.phase === Phase.FORWARD && isOpen(one));
}

function isWithin(step: StepPlan, name: string): boolean {
  return step.name === name || blocksOf(step).some((block) => block.steps.some((one) => isWithin(one, name)));
}

/** The blocks right inside a step, the one that undoes it apart. */
export function blocksOf({ action }: StepPlan): readonly BlockPlan[] {
  const present = (blocks: readonly (BlockPlan | undefined)[]): readonly BlockPlan[] =>
    blocks.filter((block) => block !== undefined);
  switch (action.kind) {
    case "switch":
      return present([...action.cases.map(({ block }) => block), action.otherwise]);
    case "parallel":
      return action.branches;
    case "forEach":
      return [action.forEach.body];
    case "loop":
      return [action.loop.body];
    case "try":
      return present([action.try.body, ...action.try.catches.map(({ block }) => block), action.try.finally]);
    case "signal":
      return present([action.signal.onTimeout]);
    case "approve":
      return present([action.approval.onTimeout, action.approval.onReject]);
    case "call":
    case "compensateNow":
    case "wait":
    case "waitUntil":
    case "let":
    case "fail":
    case "return":
    case "run":
    case "emit":
    case "yield":
      return [];
  }
}
