import { AttemptId_Phase as Phase } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RpcStatus } from "../../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { Incident_Reason as Reason } from "../../../../proto/gen/sidestep/v1/run.ts";
import { codeName } from "../../../../proto/wire/status.ts";
import type { Draft } from "../draft.ts";
import { evaluateCondition, evaluateValue } from "../evaluate.ts";
import type { Place } from "../evaluate.ts";
import { tooLarge } from "../limits.ts";
import type { LiveCall, LiveStep } from "../live.ts";
import type { VerifyPlan } from "../plan.ts";
import { withVariable } from "../scope.ts";
import { completeStep, isOpen, makeStep, openIncident } from "../step.ts";
import { makeCall } from "./call.ts";
import { giveUpCall, tryAgain } from "./callEnd.ts";

/**
 * The call's outcome is unknown, and its service is asked whether it was carried out: once nothing of the call can be under way, for an
 * answer that an attempt then proves wrong is worth nothing. `by`: who asks; undefined: not yet.
 */
export function continueVerification(
  draft: Draft,
  step: LiveStep,
  call: LiveCall,
  status: RpcStatus,
  by: LiveStep | undefined,
): void {
  const { verify } = call.plan;
  if (verify === undefined) openIncident(draft, step, Reason.IN_DOUBT, status);
  else if (by === undefined) {
    if (call.inFlight === 0) ask(draft, step, verify, status);
  } else if (by.state.kind === "completed") takeAnswer(draft, step, call, verify, status, by.result?.bytes ?? empty);
  else if (!isOpen(by)) openIncident(draft, step, Reason.IN_DOUBT, withCause(status, by.lastStatus));
}

const empty: Uint8Array = new Uint8Array();

/** Each time that it is asked is a call of its own, with a key of its own: an answer remembered from the last time would be no answer. */
function ask(draft: Draft, step: LiveStep, verify: VerifyPlan, status: RpcStatus): void {
  const { state } = draft;
  const call = makeCall(verify.call, undefined);
  const by = makeStep(draft, step.frame, step.plan, Phase.VERIFY, { call, inner: undefined, verifies: step });
  const last = state.verifications.get(step.path);
  if (last !== undefined) {
    by.generation = last.generation + 1;
    call.attempt = last.call?.attempt ?? 0;
    call.attemptsBefore = call.attempt;
  }
  state.verifications.set(step.path, by);
  step.state = { kind: "verifying", status, by };
  state.worklist.push(by);
}

function takeAnswer(
  draft: Draft,
  step: LiveStep,
  call: LiveCall,
  verify: VerifyPlan,
  status: RpcStatus,
  answer: Uint8Array,
): void {
  const { state } = draft;
  const place: Place = { state, scope: withVariable(step.frame.scope, "answer", answer), step: step.path };
  const done = evaluateCondition(place, verify.done);
  if (done.kind === "failed") giveUpCall(draft, step, call, done.failure);
  else if (done.value) completeVerified(draft, step, call, verify, place);
  else {
    // It was asked for just this; nothing that could prove it wrong is under way.
    step.maybeExecuted = false;
    tryAgain(draft, step, call, status, undefined);
  }
}

function completeVerified(draft: Draft, step: LiveStep, call: LiveCall, verify: VerifyPlan, place: Place): void {
  const result = verify.result === undefined ? undefined : evaluateValue(place, verify.result);
  if (result?.kind === "failed") {
    giveUpCall(draft, step, call, result.failure);
    return;
  }
  const bytes = result?.value.bytes ?? empty;
  const unfit = tooLarge(draft.state, step.path, `the result of ${call.plan.method}`, bytes.length);
  if (unfit === undefined) completeStep(draft, step, { type: call.plan.resultType, bytes });
  else giveUpCall(draft, step, call, unfit);
}

/** The doubtful call's own status, and why nobody could tell. */
function withCause(status: RpcStatus, cause: RpcStatus | undefined): RpcStatus {
  if (cause === undefined) return status;
  const told = `${codeName(cause.code)} ${cause.message}`.trimEnd();
  return { ...status, message: `${status.message}; whether it was carried out can't be told: ${told}` };
}
