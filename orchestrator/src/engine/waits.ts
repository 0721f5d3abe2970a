import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Incident_Reason } from "../../../proto/gen/sidestep/v1/run.ts";
import { Waiting_Kind as Kind } from "../../../proto/gen/sidestep/v1/waiting.ts";
import type { Waiting } from "../../../proto/gen/sidestep/v1/waiting.ts";
import { childOf, toPublicStatus } from "./describe.ts";
import type { LiveAttempt, LiveCall, LiveStep } from "./live.ts";
import type { LoadedPlan } from "./plan.ts";
import type { RunState } from "./state.ts";
import { toTimestamp } from "./time.ts";

/**
 * What a run waits for, as its own events tell; empty: it has ended. Whether sidecars are there, and who has a lock, is for those to add who know,
 * and the sentences too.
 */
export function waitsOf(plan: LoadedPlan, state: RunState): readonly Waiting[] {
  switch (state.phase) {
    case "unstarted":
    case "void":
    case "ended":
      return [];
    case "ending":
      return [toWaiting(Kind.END)];
    case "forward":
    case "stopping":
    case "compensating": {
      const waits = state.hold === undefined ? [] : [pausedRun(state.hold)];
      for (const steps of [state.steps, state.compensations])
        for (const step of steps.values()) waits.push(...waitsOfStep(plan, state, step));
      return waits.length === 0 ? [toWaiting(Kind.TURN)] : waits;
    }
  }
}

function pausedRun({ reason, actor, sinceMs }: NonNullable<RunState["hold"]>): Waiting {
  return toWaiting(Kind.PAUSED, { since: sinceMs === 0 ? undefined : toTimestamp(sinceMs), reason, actor });
}

function waitsOfStep(plan: LoadedPlan, run: RunState, step: LiveStep): readonly Waiting[] {
  const { state } = step;
  const wait = (kind: Kind, more: Partial<Waiting>): readonly Waiting[] => [
    toWaiting(kind, {
      step: step.path,
      compensation: step.phase === Phase.COMPENSATE,
      since: toTimestamp(step.startedMs),
      ...more,
    }),
  ];
  switch (state.kind) {
    case "ready":
      return run.hold === undefined ? wait(Kind.TURN, {}) : [];
    case "queued":
      return wait(Kind.LOCK, { lock: step.outside?.lock?.name ?? "" });
    case "running":
      return wait(kindOfRunning(state.attempt), {
        ...callOf(plan, step, step.call),
        since: toTimestamp(state.attempt.publish.issuedMs),
        until: untilOf(state.attempt.deferred?.dueMs ?? step.call?.deadlineMs),
      });
    case "closing":
      return wait(Kind.CLOSING, callOf(plan, step, step.call));
    case "backingOff":
      return wait(Kind.BACKOFF, { ...callOf(plan, step, step.call), until: untilOf(state.timer.dueMs) });
    case "waiting":
      return wait(Kind.TIMER, { until: untilOf(state.timer.dueMs) });
    case "listening":
      return wait(Kind.SIGNAL, {
        signal: step.plan.action.kind === "signal" ? step.plan.action.signal.name : "",
        until: untilOf(state.timer?.dueMs),
      });
    case "asking":
      return wait(Kind.APPROVAL, {
        since: toTimestamp(state.approval.sinceMs),
        until: untilOf(state.timer?.dueMs),
        approvers: [...(state.approval.approvers ?? [])],
      });
    case "following":
      return wait(Kind.CHILD, {
        childRunId: childOf(run.runId, step),
        method: step.plan.action.kind === "run" ? step.plan.action.run.method : "",
      });
    case "emitting":
      return wait(Kind.MESSAGE, {});
    case "verifying": {
      const { by, status } = state;
      const lastError = toPublicStatus(plan, status);
      if (by === undefined) return wait(Kind.DOUBT, { ...callOf(plan, step, step.call), lastError });
      return wait(Kind.VERIFYING, {
        ...callOf(plan, by, by.call),
        lastError,
        until: untilOf(by.state.kind === "backingOff" ? by.state.timer.dueMs : undefined),
      });
    }
    case "paused":
      return wait(Kind.INCIDENT, {
        ...callOf(plan, step, step.call),
        since: toTimestamp(state.incident.sinceMs),
        incident: state.incident.reason,
        lastError: toPublicStatus(plan, state.incident.status),
      });
    case "inside":
    case "undoing":
    case "completed":
    case "failed":
    case "skipped":
    case "cancelled":
      return [];
  }
}

/** A task that is not written now, because an operator holds it back or the server takes none, is asked for again by a timer. */
function kindOfRunning({ deferred }: LiveAttempt): Kind {
  if (deferred === undefined) return Kind.OUTCOME;
  return deferred.purpose.kind === "held" ? Kind.HOLD : Kind.WRITE;
}

function callOf(plan: LoadedPlan, step: LiveStep, call: LiveCall | undefined): Partial<Waiting> {
  if (call === undefined) return {};
  return {
    method: call.plan.method,
    attempt: call.attempt,
    attemptsMax: call.attemptsBefore + call.plan.retry.attemptsMax,
    lastError: toPublicStatus(plan, step.lastStatus),
  };
}

function untilOf(ms: number | undefined): Waiting["until"] {
  return ms === undefined ? undefined : toTimestamp(ms);
}

function toWaiting(kind: Kind, more: Partial<Waiting> = {}): Waiting {
  return {
    kind,
    step: "",
    compensation: false,
    since: undefined,
    until: undefined,
    attempt: 0,
    attemptsMax: 0,
    lastError: undefined,
    method: "",
    offers: [],
    signal: "",
    approvers: [],
    lock: "",
    lockRunId: "",
    lockStep: "",
    lockPlace: 0,
    childRunId: "",
    incident: Incident_Reason.REASON_UNSPECIFIED,
    reason: "",
    actor: "",
    sentence: "",
    ...more,
  };
}
