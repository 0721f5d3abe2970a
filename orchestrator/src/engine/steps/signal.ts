import type { SignalReceived } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import { refuse } from "../draft.ts";
import type { Draft } from "../draft.ts";
import { evaluateCondition } from "../evaluate.ts";
import type { Evaluation } from "../evaluate.ts";
import { fitsPayload, mayKeepSignal, signalIdsMax } from "../limits.ts";
import { listenFor } from "../listeners.ts";
import { takePlace } from "../place.ts";
import type { WaitSignalPlan } from "../plan.ts";
import { remember } from "../requests.ts";
import { withVariable } from "../scope.ts";
import type { LiveStep } from "../live.ts";
import { completeStep, failStep } from "../step.ts";
import { armDue, evaluateDue, passDue } from "./due.ts";

/** Takes the oldest signal that is there for the step, else waits for one. */
export function beginSignal(draft: Draft, step: LiveStep, plan: WaitSignalPlan): void {
  const { state } = draft;
  for (const [i, signal] of state.signals.entries()) {
    if (signal.name !== plan.name) continue;
    const matched = matches(draft, step, plan, signal.payload);
    if (matched.kind === "failed") {
      failStep(draft, step, matched.failure);
      return;
    }
    if (!matched.value) continue;
    state.signals.splice(i, 1);
    completeStep(draft, step, { type: plan.type, bytes: signal.payload });
    return;
  }
  const due = evaluateDue(draft, step, plan);
  if (due.kind === "failed") failStep(draft, step, due.failure);
  else if (due.value <= state.nowMs) passDue(draft, step);
  else if (takePlace(draft, step)) {
    step.state = { kind: "listening", timer: armDue(draft, step, due.value) };
    listenFor(draft, step, plan.name);
  }
}

/** A signal came: the step that has waited longest of those that take it goes on; where none does, the signal is kept. */
export function receiveSignal(draft: Draft, { name, payload, id }: SignalReceived): boolean {
  const { plan, state } = draft;
  if (!plan.signals.some((signal) => signal.name === name)) return refuse(draft, "SIGNAL_NOT_FOUND");
  if (id !== "" && state.signalIds.has(id)) return refuse(draft, "DUPLICATE");
  if (!fitsPayload(state, payload.length)) return refuse(draft, "PAYLOAD_TOO_LARGE");
  if (!takeSignal(draft, name, payload)) {
    if (!mayKeepSignal(state)) return refuse(draft, "SIGNAL_LIMIT");
    state.signals.push({ name, payload });
  }
  if (id !== "") remember(state.signalIds, id, signalIdsMax);
  return true;
}

function takeSignal(draft: Draft, name: string, payload: Uint8Array): boolean {
  for (const step of draft.state.listeners.get(name) ?? []) {
    const { action } = step.plan;
    if (action.kind !== "signal") continue;
    const matched = matches(draft, step, action.signal, payload);
    if (matched.kind === "failed") failStep(draft, step, matched.failure);
    else if (matched.value) {
      completeStep(draft, step, { type: action.signal.type, bytes: payload });
      return true;
    }
  }
  return false;
}

function matches(draft: Draft, step: LiveStep, { when }: WaitSignalPlan, payload: Uint8Array): Evaluation<boolean> {
  if (when === undefined) return { kind: "value", value: true };
  const scope = withVariable(step.frame.scope, "event", payload);
  return evaluateCondition({ state: draft.state, scope, step: step.path }, when);
}
