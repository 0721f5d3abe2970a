import type { CallPlan, LoadedPlan, StepPlan } from "./plan.ts";

/** What a call sends and is answered with, by full names of messages; empty: not known, any bytes are taken. */
export interface CallTypes {
  readonly request: string;
  readonly response: string;
}

/** Types of the call that stands at a path of a run; undefined: no call stands there. */
export function callTypesAt(loaded: LoadedPlan, path: string, isCompensation: boolean): CallTypes | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1);
  // Steps of compensating blocks come after all others, and call for themselves.
  const isInside = path.includes("~undo/");
  const isNamed = (one: StepPlan): boolean => one.name === name;
  const step = isInside ? loaded.steps.findLast(isNamed) : loaded.steps.find(isNamed);
  const call = step === undefined ? undefined : callOf(step, isCompensation && !isInside);
  if (call === undefined) return undefined;
  return {
    request: call.passesInput ? loaded.plan.requestType : (call.request?.expression.type ?? ""),
    response: call.stream === undefined ? call.responseType : "",
  };
}

function callOf({ action, compensate }: StepPlan, isCompensation: boolean): CallPlan | undefined {
  if (isCompensation) return compensate?.undo.kind === "call" ? compensate.undo.call : undefined;
  return action.kind === "call" ? action.call : undefined;
}
