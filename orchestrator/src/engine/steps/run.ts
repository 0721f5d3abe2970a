import type { ChildEnded, ChildRefused, ChildStarted } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import { Run_State } from "../../../../proto/gen/sidestep/v1/run.ts";
import { code } from "../../../../proto/wire/status.ts";
import type { StartChild, StepName } from "../command.ts";
import { withdraw } from "../draft.ts";
import type { Draft } from "../draft.ts";
import { evaluateText, evaluateValue } from "../evaluate.ts";
import type { Place } from "../evaluate.ts";
import { toFailure, toStatus } from "../failure.ts";
import { tooLarge } from "../limits.ts";
import type { LiveStep } from "../live.ts";
import { makeOutside } from "../outside.ts";
import { unloaded } from "../payload.ts";
import { takePlace } from "../place.ts";
import type { ChildRunPlan } from "../plan.ts";
import { stepAt } from "../state.ts";
import { cancelStep, completeStep, failStep, isOpen } from "../step.ts";

/** Starts a child; its id is a function of the run, the step and its generation. */
export function beginChild(draft: Draft, step: LiveStep, plan: ChildRunPlan): void {
  const { state } = draft;
  const place: Place = { state, scope: step.frame.scope, step: step.path };
  const request = plan.request === undefined ? undefined : evaluateValue(place, plan.request);
  const key = plan.key === undefined ? undefined : evaluateText(place, plan.key);
  if (request?.kind === "failed") {
    failStep(draft, step, request.failure);
    return;
  }
  if (key?.kind === "failed") {
    failStep(draft, step, key.failure);
    return;
  }
  if (key?.value === "") {
    const message = `the key of the run of ${plan.method} is empty`;
    failStep(draft, step, toFailure(state.runId, step.path, code.INVALID_ARGUMENT, "EMPTY_KEY", message));
    return;
  }
  const bytes = request?.value.bytes ?? new Uint8Array();
  const unfit = tooLarge(state, step.path, `the request of ${plan.method}`, bytes.length);
  if (unfit !== undefined) {
    failStep(draft, step, unfit);
    return;
  }
  if (!takePlace(draft, step)) return;
  step.outside ??= makeOutside();
  startChild(draft, step, {
    kind: "startChild",
    issuedAt: draft.sequence,
    at: { step: step.path, generation: step.generation },
    workflow: plan.method,
    request: bytes,
    key: key?.value,
    detach: plan.detach,
  });
}

/** Asks for the same start again: it may have been carried out. */
export function startAgain(draft: Draft, step: LiveStep, start: StartChild): void {
  startChild(draft, step, { ...start, issuedAt: draft.sequence });
}

function startChild(draft: Draft, step: LiveStep, start: StartChild): void {
  if (step.outside === undefined) return;
  step.outside.child = start;
  step.outside.childAt = start.at;
  draft.state.awaiting.add(step);
  step.state = { kind: "following", isStopping: isStopping(step) };
  draft.commands.push(start);
}

/** The step whose child a command or an event is about, while that is awaited: in an incident, too, for the start may have been made. */
export function followingStep({ state }: Draft, id: StepName | undefined): LiveStep | undefined {
  const step = id === undefined ? undefined : stepAt(state, id.step);
  return step?.outside?.child?.at.generation === id?.generation && step !== undefined && isOpen(step)
    ? step
    : undefined;
}

function isStopping({ state }: LiveStep): boolean {
  return state.kind === "following" && state.isStopping;
}

/** The child is wanted no more: it is cancelled and its end awaited. A detached one lives on its own; only its start is awaited. */
export function stopChild(draft: Draft, step: LiveStep): void {
  const child = step.outside?.child;
  if (isStopping(step) || child === undefined || step.outside === undefined) return;
  if (withdraw(draft, child)) {
    step.outside.child = undefined;
    cancelStep(draft, step);
    return;
  }
  step.state = { kind: "following", isStopping: true };
  if (!child.detach) tellChild(draft, step, child, "cancel");
}

/** The run ends at once, and its children with it; none of their ends is awaited. */
export function terminateChildren(draft: Draft): void {
  for (const step of draft.state.awaiting) {
    const child = step.outside?.child;
    if (child?.detach === false) tellChild(draft, step, child, "terminate");
  }
}

function tellChild(draft: Draft, step: LiveStep, { at }: StartChild, how: "cancel" | "terminate"): void {
  if (step.outside === undefined) return;
  const { verdict } = draft.state;
  const cause = verdict === undefined || verdict.kind === "completed" ? "" : `: ${verdict.failure.status.message}`;
  const reason = `the run that started it gave it up${cause}`;
  // A terminated run has just given the child up like a cancelled one.
  if (step.outside.stop !== undefined) withdraw(draft, step.outside.stop);
  step.outside.stop = { kind: "stopChild", issuedAt: draft.sequence, at, how, reason };
  draft.commands.push(step.outside.stop);
}

/** A child's start is durable: that is all that is awaited of a detached one. */
export function noteChild(draft: Draft, { step: id }: ChildStarted): boolean {
  const step = followingStep(draft, id);
  if (step?.outside?.child?.detach !== true) return false;
  step.outside.child = undefined;
  completeStep(draft, step, undefined);
  return true;
}

/** There is no child. */
export function refuseChild(draft: Draft, { step: id, status }: ChildRefused): boolean {
  const step = followingStep(draft, id);
  if (step?.outside === undefined) return false;
  step.outside.child = undefined;
  if (isStopping(step)) cancelStep(draft, step);
  else failStep(draft, step, { status: status ?? unknown, step: step.path });
  return true;
}

/** A child has ended. A result counts also when it was wanted no more: then the step is undone like others that completed. */
export function endChild(draft: Draft, { step: id, ended }: ChildEnded): boolean {
  const step = followingStep(draft, id);
  if (step === undefined || ended === undefined || step.plan.action.kind !== "run") return false;
  const child = step.outside?.child;
  if (child?.detach !== false || step.outside === undefined) return false;
  step.outside.child = undefined;
  const { method, responseType } = step.plan.action.run;
  if (ended.state === Run_State.COMPLETED) {
    const { response, responsePayload: payload } = ended;
    const unfit = tooLarge(draft.state, step.path, `the response of ${method}`, response.length);
    if (payload !== undefined) {
      const bytes = response.length === 0 ? unloaded : response;
      completeStep(draft, step, { type: responseType, bytes, payload });
    } else if (unfit === undefined) completeStep(draft, step, { type: responseType, bytes: response });
    else {
      step.maybeExecuted = true;
      failStep(draft, step, unfit);
    }
    return true;
  }
  if (ended.state === Run_State.COMPENSATION_FAILED || ended.state === Run_State.TERMINATED) step.maybeExecuted = true;
  const status = ended.status ?? unknown;
  step.lastStatus = status;
  if (isStopping(step)) cancelStep(draft, step);
  else failStep(draft, step, { status, step: step.path });
  return true;
}

const unknown = toStatus(code.UNKNOWN, "the child did not say why it ended");
