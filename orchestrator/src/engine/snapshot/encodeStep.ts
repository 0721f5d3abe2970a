import type {
  RunSnapshot_Attempt as StoredAttempt,
  RunSnapshot_Call as StoredCall,
  RunSnapshot_Header as StoredHeader,
  RunSnapshot_Prepared as StoredPrepared,
  RunSnapshot_Step as StoredStep,
} from "../../../../proto/gen/sidestep/internal/v1/snapshot.ts";
import type { CallHeader } from "../command.ts";
import type { LiveAttempt, LiveCall, LiveStep, PreparedCall, StepState } from "../live.ts";
import { toInner } from "./encodeInner.ts";
import { toStoredOutside } from "./encodeOutside.ts";
import { toStoredFailure, toValue } from "./parts.ts";
import type { Whole } from "./parts.ts";
import type { AllPlaces } from "./places.ts";

/** A step or a compensation. */
export function toStep(step: LiveStep, places: AllPlaces): StoredStep {
  const { plan, call, inner } = step;
  return {
    plan: plan.index,
    phase: step.phase,
    path: step.path === step.frame.scope.prefix + plan.name ? undefined : step.path,
    generation: step.generation,
    frame: places.frames.of(step.frame),
    state: toState(step.state, places),
    startedMs: step.startedMs,
    endedMs: step.endedMs,
    result: toValue(step.result, places),
    maybeExecuted: step.maybeExecuted,
    lastStatus: step.lastStatus,
    isPending: step.isPending,
    call: call === undefined ? undefined : toCall(call, places),
    inner: inner === undefined ? undefined : toInner(inner, places),
    partOf: places.undoings.of(step.undoing),
    undoOrder: step.undoOrder,
    outside: step.outside === undefined ? undefined : toStoredOutside(step.outside),
    verifies: places.steps.of(step.verifies),
  } satisfies Whole<StoredStep>;
}

function toState(state: StepState, { attempts, timers, undoings, steps }: AllPlaces): StoredStep["state"] {
  switch (state.kind) {
    case "ready":
    case "queued":
    case "inside":
    case "completed":
    case "skipped":
    case "cancelled":
      return { $case: state.kind, value: {} };
    case "running":
      return { $case: "running", value: attempts.of(state.attempt) };
    case "closing":
      return {
        $case: "closing",
        value: { attempt: attempts.of(state.attempt), byTimeout: state.reason === "timeout" },
      };
    case "backingOff":
    case "waiting":
      return { $case: state.kind, value: timers.of(state.timer) };
    case "listening":
      return { $case: "listening", value: timers.of(state.timer) };
    case "asking": {
      const { title, detail, approvers, sinceMs } = state.approval;
      const byAnybody = approvers === undefined;
      const value = { title, detail, byAnybody, approvers: approvers ?? [], sinceMs, timer: timers.of(state.timer) };
      return { $case: "asking", value };
    }
    case "following":
    case "emitting":
      return { $case: state.kind, value: { isStopping: state.isStopping } };
    case "verifying":
      return { $case: "verifying", value: { status: state.status, by: steps.of(state.by) } };
    case "paused": {
      const { reason, status, sinceMs } = state.incident;
      return { $case: "paused", value: { reason, status, sinceMs } };
    }
    case "undoing":
      return { $case: "undoing", value: undoings.of(state.undoing) };
    case "failed":
      return { $case: "failed", value: toStoredFailure(state.failure) };
  }
}

function toCall(call: LiveCall, { timers }: AllPlaces): StoredCall {
  return {
    prepared: call.prepared === undefined ? undefined : toPrepared(call.prepared),
    attempt: call.attempt,
    attemptsBefore: call.attemptsBefore,
    deadlineMs: call.deadlineMs,
    deadlineTimer: timers.of(call.deadlineTimer),
    compensates: call.compensates,
    inFlight: call.inFlight,
    patch: call.patch,
  } satisfies Whole<StoredCall>;
}

function toPrepared({ request, payload, headers }: PreparedCall): StoredPrepared {
  return { request, payload, headers: headers.map(toHeader) } satisfies Whole<StoredPrepared>;
}

function toHeader(header: CallHeader): StoredHeader {
  const { key } = header;
  return "secret" in header
    ? { key, text: { $case: "secret", value: header.secret } }
    : { key, text: { $case: "value", value: header.value } };
}

/** An attempt, with the task that was asked for. */
export function toAttempt(attempt: LiveAttempt, { steps, timers }: AllPlaces): StoredAttempt {
  const { id, publish, step, claim } = attempt;
  const { stream } = publish;
  const prepared = step.call?.prepared;
  const isPrepared = prepared?.request === publish.request && prepared.headers === publish.headers;
  return {
    step: steps.of(step),
    generation: id.generation,
    phase: id.phase,
    number: id.attempt,
    issuedAt: publish.issuedAt,
    issuedMs: publish.issuedMs,
    method: publish.method,
    sent: isPrepared ? undefined : toPrepared(publish),
    timeoutMs: publish.timeoutMs,
    claim: publish.claim,
    stream: stream === undefined ? undefined : { messagesMax: stream.messagesMax, bytesMax: stream.bytesMax },
    isReissue: publish.isReissue,
    compensates: publish.compensates,
    closedAt: attempt.close?.issuedAt ?? 0,
    isTold: attempt.isTold,
    claimed: claim === undefined ? undefined : { sidecarId: claim.sidecarId, delivery: claim.delivery },
    overdueMs: attempt.overdueMs,
    isOverdue: attempt.isOverdue,
    deferred: timers.of(attempt.deferred),
  } satisfies Whole<StoredAttempt>;
}
