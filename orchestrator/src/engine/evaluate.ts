import type { Bindings } from "./expression/bindings.ts";
import { defaultBudget, evaluateBool, evaluateKept, evaluateString, evaluateTimestamp } from "./expression/evaluate.ts";
import type { Evaluated, Instant, KeptValue } from "./expression/result.ts";
import type { RunRecord, StepRecord } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { expressionFailure } from "./failure.ts";
import type { PlannedExpression } from "./plan.ts";
import { loadedBytesMax, unloaded } from "./payload.ts";
import type { Failure, LiveStep, Scope } from "./live.ts";
import { toTexts } from "./keptList.ts";
import type { RunState } from "./state.ts";
import { toMs, toTimestamp } from "./time.ts";

/** Where and for which step an expression is evaluated. */
export interface Place {
  readonly state: RunState;
  readonly scope: Scope;
  /** Path of the step that fails when the expression does. */
  readonly step: string;
}

/** What came of an evaluation, as a step takes it. */
export type Evaluation<T> =
  | { readonly kind: "value"; readonly value: T }
  | { readonly kind: "failed"; readonly failure: Failure };

/** A `when` or a case. */
export function evaluateCondition(place: Place, planned: PlannedExpression): Evaluation<boolean> {
  return toEvaluation(place, planned, evaluateBool(planned.expression, bindingsOf(place), budgetOf(place)));
}

/** A text: a header, a message. */
export function evaluateText(place: Place, planned: PlannedExpression): Evaluation<string> {
  return toEvaluation(place, planned, evaluateString(planned.expression, bindingsOf(place), budgetOf(place)));
}

/** A value in its kept form; a message's is its bytes. */
export function evaluateValue(place: Place, planned: PlannedExpression): Evaluation<KeptValue> {
  return toEvaluation(place, planned, evaluateKept(planned.expression, bindingsOf(place), budgetOf(place)));
}

/**
 * Like evaluateValue, where the value goes on to a call or to the caller: one that is kept apart goes on as such, whether its bytes have been
 * loaded or not.
 */
export function evaluatePassing(place: Place, planned: PlannedExpression): Evaluation<KeptValue> {
  const { passes } = planned.expression;
  const value = passes === undefined ? undefined : claimedAt(place, passes, planned.expression.type);
  return value === undefined ? evaluateValue(place, planned) : { kind: "value", value };
}

/** A variable's value is not among the run's events: it is large. */
export function isKeptApart(place: Place, name: string): boolean {
  return claimedAt(place, name, "") !== undefined;
}

/** The value of a variable that is kept apart; undefined: it isn't. */
function claimedAt({ state, scope }: Place, name: string, type: string): KeptValue | undefined {
  if (name === "input") {
    const { requestPayload: payload } = state.started ?? {};
    return payload === undefined ? undefined : { type, bytes: unloaded, payload };
  }
  const { result } = stepIn(scope, name) ?? {};
  return result?.payload === undefined ? undefined : result;
}

/** A list of texts. */
export function evaluateTexts(place: Place, planned: PlannedExpression): Evaluation<readonly string[]> {
  const evaluated = evaluateValue(place, planned);
  return evaluated.kind === "failed" ? evaluated : { kind: "value", value: toTexts(evaluated.value.bytes) };
}

/** A point in time in milliseconds since 1970. */
export function evaluateTime(place: Place, planned: PlannedExpression): Evaluation<number> {
  const found = evaluateTimestamp(planned.expression, bindingsOf(place), budgetOf(place));
  const evaluated: Evaluated<number> = found.kind === "failed" ? found : { kind: "value", value: toMs(found.value) };
  return toEvaluation(place, planned, evaluated);
}

function toEvaluation<T>(place: Place, planned: PlannedExpression, found: Evaluated<T>): Evaluation<T> {
  if (found.kind === "value") return found;
  return {
    kind: "failed",
    failure: expressionFailure(
      place.state.runId,
      place.step,
      planned.place,
      planned.isRedacted ? unsaid : found.message,
    ),
  };
}

/** What is said of a failure whose message may quote a field declared `debug_redact`. */
const unsaid = "it fails on a value that is declared debug_redact";

/** Comprehension steps that an evaluation may take. */
export function budgetOf({ state }: Place): number {
  const max = state.started?.limits?.evaluationStepsMax ?? 0;
  return max === 0 ? defaultBudget : max;
}

/** What an expression may see at a place. */
export function bindingsOf(place: Place): Bindings {
  return new PlaceBindings(place);
}

/** A class, for it is made for each evaluation: an object of two closures and three getters of its own costs more than a small evaluation. */
class PlaceBindings implements Bindings {
  readonly #place: Place;
  constructor(place: Place) {
    this.#place = place;
  }
  variable(name: string): Uint8Array | undefined {
    const { state, scope } = this.#place;
    return name === "input" ? state.started?.request : loaded(name, variableIn(scope, name));
  }
  step(id: string): StepRecord | undefined {
    const step = stepIn(this.#place.scope, id);
    return step?.state.kind === "completed" ? toStepRecord(step) : undefined;
  }
  get run(): RunRecord | undefined {
    return toRunRecord(this.#place.state);
  }
  get now(): Instant {
    return toTimestamp(this.#place.state.nowMs);
  }
  get metadata(): ReadonlyMap<string, string> {
    return metadataOf(this.#place.state);
  }
}

function variableIn(scope: Scope, name: string): Uint8Array | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const found = at.variables.get(name) ?? at.steps.get(name)?.result?.bytes;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Throws for bytes that are not there: the checker's rewriting turns that into the expression's failure. */
function loaded(name: string, bytes: Uint8Array | undefined): Uint8Array | undefined {
  if (bytes === unloaded)
    throw new Error(`'${name}' has more than ${loadedBytesMax} bytes: it can only be passed on as a whole`);
  return bytes;
}

function stepIn(scope: Scope, id: string): LiveStep | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const found = at.steps.get(id);
    if (found !== undefined) return found;
  }
  return undefined;
}

function toStepRecord(step: LiveStep): StepRecord {
  return {
    attempts: step.call?.attempt ?? 0,
    startedAt: toTimestamp(step.startedMs),
    endedAt: toTimestamp(step.endedMs),
    decision: step.outside?.decision,
  };
}

function toRunRecord(state: RunState): RunRecord | undefined {
  const { started } = state;
  if (started === undefined) return undefined;
  return {
    id: state.runId,
    key: started.key,
    workflow: started.workflow,
    version: started.version,
    startedAt: toTimestamp(state.startedMs),
    deadline: state.deadlineMs === undefined ? undefined : toTimestamp(state.deadlineMs),
  };
}

function metadataOf(state: RunState): ReadonlyMap<string, string> {
  return new Map(Object.entries(state.started?.metadata ?? {}));
}
