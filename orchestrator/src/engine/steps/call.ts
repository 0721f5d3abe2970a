import { showDuration } from "../duration.ts";
import { AttemptId_Phase as Phase } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import type { AttemptId } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import { code } from "../../../../proto/wire/status.ts";
import { publishAttempt } from "../attempts.ts";
import type { CallHeader } from "../command.ts";
import type { Draft } from "../draft.ts";
import { evaluatePassing, evaluateText } from "../evaluate.ts";
import type { Evaluation, Place } from "../evaluate.ts";
import type { KeptValue } from "../expression/result.ts";
import { toFailure } from "../failure.ts";
import { callTimeoutMsMax, fitsPayload, mayOpenStep, tooManySteps } from "../limits.ts";
import type { CallPlan } from "../plan.ts";
import type { Failure, LiveCall, LiveStep, PreparedCall } from "../live.ts";
import { failStep, holdPlace } from "../step.ts";
import { failRun } from "../stop.ts";
import { armTimer } from "../timers.ts";
import { giveUpCall, timeOutCall } from "./callEnd.ts";

/** What a call keeps over its attempts, before the first one. */
export function makeCall(plan: CallPlan, compensates: AttemptId | undefined): LiveCall {
  return {
    plan,
    prepared: undefined,
    attempt: 0,
    attemptsBefore: 0,
    inFlight: 0,
    patch: undefined,
    deadlineMs: undefined,
    deadlineTimer: undefined,
    compensates,
  };
}

/** A call begins: evaluates what it sends and asks for the first attempt. */
export function beginCall(draft: Draft, step: LiveStep, call: LiveCall): void {
  const { state } = draft;
  if (!mayOpenStep(state, step)) {
    failStep(draft, step, tooManySteps(state, step.path));
    return;
  }
  holdPlace(draft, step);
  tryCall(draft, step, call);
}

/** Asks for the next attempt of a call that is ready: the first, or the one after a backoff or an incident. */
export function tryCall(draft: Draft, step: LiveStep, call: LiveCall): void {
  const { state } = draft;
  if (call.prepared === undefined) {
    const prepared = prepareCall(draft, step, call);
    if (prepared.kind === "failed") {
      giveUpCall(draft, step, call, prepared.failure);
      return;
    }
    call.prepared = prepared.value;
  }
  if (call.deadlineMs === undefined && call.plan.stepTimeoutMs !== undefined) {
    call.deadlineMs = state.nowMs + call.plan.stepTimeoutMs;
    call.deadlineTimer = armTimer(draft, call.deadlineMs, { kind: "stepDeadline", step });
  }
  const stepLeftMs = (call.deadlineMs ?? Infinity) - state.nowMs;
  const runLeftMs = step.phase === Phase.FORWARD ? (state.deadlineMs ?? Infinity) - state.nowMs : Infinity;
  if (runLeftMs <= 0) failRun(draft, runTimeout(draft));
  else if (stepLeftMs <= 0) timeOutCall(draft, step, call, undefined);
  else {
    const timeoutMs = Math.min(call.plan.timeoutMs, stepLeftMs, runLeftMs, callTimeoutMsMax);
    publishAttempt(draft, step, call, call.prepared, Math.ceil(timeoutMs));
  }
}

/** The run's deadline has passed. */
export function runTimeout({ plan, state }: Draft): Failure {
  const message = `the run did not end within its timeout of ${showDuration(plan.plan.timeoutMs ?? 0)}`;
  return toFailure(state.runId, "", code.DEADLINE_EXCEEDED, "RUN_TIMEOUT", message);
}

const empty: Uint8Array = new Uint8Array();

/** What a person gave in place of it; else the run's own request, or what the plan builds. */
function requestOf(place: Place, { plan, patch }: LiveCall): Evaluation<Omit<KeptValue, "type">> {
  if (patch !== undefined) return { kind: "value", value: { bytes: patch } };
  if (plan.passesInput) {
    const { request, requestPayload } = place.state.started ?? {};
    return { kind: "value", value: { bytes: request ?? empty, payload: requestPayload } };
  }
  return plan.request === undefined ? { kind: "value", value: { bytes: empty } } : evaluatePassing(place, plan.request);
}

function prepareCall(draft: Draft, step: LiveStep, call: LiveCall): Evaluation<PreparedCall> {
  const { state } = draft;
  const { plan } = call;
  const place: Place = { state, scope: step.frame.scope, step: step.path };
  const found = requestOf(place, call);
  if (found.kind === "failed") return found;
  const { payload } = found.value;
  const request = payload === undefined ? found.value.bytes : empty;
  if (!fitsPayload(state, request.length)) {
    const message = `the request of ${plan.method} has ${request.length} bytes, ${state.started?.limits?.payloadBytesMax ?? 0} are allowed (--payload-bytes-max)`;
    return {
      kind: "failed",
      failure: toFailure(state.runId, step.path, code.RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE", message),
    };
  }
  if (plan.headers.length === 0) return { kind: "value", value: { request, payload, headers: [] } };
  const headers: CallHeader[] = [];
  for (const header of plan.headers) {
    if ("secret" in header) {
      headers.push(header);
      continue;
    }
    const evaluated = evaluateText(place, header.value);
    if (evaluated.kind === "failed") return evaluated;
    headers.push({ key: header.key, value: evaluated.value });
  }
  return { kind: "value", value: { request, payload, headers } };
}
