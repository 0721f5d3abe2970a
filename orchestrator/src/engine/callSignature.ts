import type { CallPlan, LoadedPlan, StepPlan } from "./plan.ts";

/** What a call sends and what its result is, as ValueType spells it; empty: not known, any bytes are taken. */
export interface CallTypes {
  readonly request: string;
  readonly response: string;
}

/** Types of the call that stands at a path of a run, or of the child's result; undefined: neither stands there. */
export function callTypesAt(loaded: LoadedPlan, path: string, isCompensation: boolean): CallTypes | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1);
  // Steps of compensating blocks come after all others, and call for themselves.
  const isInside = path.includes("~undo/");
  const isNamed = (one: StepPlan): boolean => one.name === name;
  const step = isInside ? loaded.steps.findLast(isNamed) : loaded.steps.find(isNamed);
  if (step === undefined) return undefined;
  const call = callOf(step, isCompensation && !isInside);
  if (call !== undefined) return { request: requestTypeOf(loaded, call), response: call.resultType };
  const { action } = step;
  return action.kind === "run" && (isInside || !isCompensation) && !action.run.detach
    ? { request: "", response: action.run.responseType }
    : undefined;
}

/** Plans of earlier versions do not name it: what builds the request does. */
function requestTypeOf({ plan }: LoadedPlan, call: CallPlan): string {
  if (call.requestType !== "") return call.requestType;
  return call.passesInput ? plan.requestType : (call.request?.expression.type ?? "");
}

function callOf({ action, compensate }: StepPlan, isCompensation: boolean): CallPlan | undefined {
  if (isCompensation) return compensate?.undo.kind === "call" ? compensate.undo.call : undefined;
  return action.kind === "call" ? action.call : undefined;
}
