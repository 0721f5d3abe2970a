import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Incident_Reason } from "../../../proto/gen/sidestep/v1/run.ts";
import { Waiting_Kind as Kind } from "../../../proto/gen/sidestep/v1/waiting.ts";
import type { Waiting } from "../../../proto/gen/sidestep/v1/waiting.ts";
import { childOf, toPublicStatus } from "./describe.ts";
import type { LiveAttempt, LiveCall, LiveStep, LiveTimer, OpenIncident } from "./live.ts";
import type { OpenApproval } from "./outside.ts";
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
      if (state.phase === "stopping") waits.push(...lingering(plan, state));
      return waits.length === 0 ? [toWaiting(Kind.TURN)] : waits;
    }
  }
}

/** Attempts whose steps are over and whose calls may still be under way somewhere: nothing is undone, and the run does not end, before they are closed. */
function lingering(plan: LoadedPlan, { attempts }: RunState): readonly Waiting[] {
  return [...attempts.values()]
    .filter(
      ({ id, close, step }) => close !== undefined && id.phase !== Phase.COMPENSATE && step.state.kind !== "closing",
    )
    .map(({ id, publish, step }) =>
      toWaiting(Kind.CLOSING, {
        ...callOf(plan, step),
        step: step.path,
        attempt: id.attempt,
        since: toTimestamp(publish.issuedMs),
      }),
    );
}

function pausedRun({ reason, actor, sinceMs }: NonNullable<RunState["hold"]>): Waiting {
  return toWaiting(Kind.PAUSED, { since: sinceMs === 0 ? undefined : toTimestamp(sinceMs), reason, actor });
}

function waitsOfStep(plan: LoadedPlan, run: RunState, step: LiveStep): readonly Waiting[] {
  const found = waitOf(plan, run, step);
  if (found === undefined) return [];
  const { kind, ...more } = found;
  const since = toTimestamp(step.startedMs);
  return [toWaiting(kind, { step: step.path, compensation: step.phase === Phase.COMPENSATE, since, ...more })];
}

/** What is told of a wait, unless it is as of every step. */
type Told = Partial<Waiting> & { readonly kind: Kind };

function waitOf(plan: LoadedPlan, run: RunState, step: LiveStep): Told | undefined {
  const { state } = step;
  switch (state.kind) {
    case "ready":
      return run.hold === undefined ? { kind: Kind.TURN } : undefined;
    case "queued":
      return { kind: Kind.LOCK, lock: step.outside?.lock?.name ?? "" };
    case "running":
      return { ...callOf(plan, step), ...toAttempt(state.attempt, step.call) };
    case "closing":
      return { kind: Kind.CLOSING, ...callOf(plan, step) };
    case "backingOff":
      return { kind: Kind.BACKOFF, ...callOf(plan, step), until: untilOf(state.timer.dueMs) };
    case "waiting":
      return { kind: Kind.TIMER, until: untilOf(state.timer.dueMs) };
    case "listening":
      return { kind: Kind.SIGNAL, signal: signalOf(step), until: untilOf(state.timer?.dueMs) };
    case "asking":
      return toDecision(state.approval, state.timer);
    case "following":
      return { kind: Kind.CHILD, childRunId: childOf(run.runId, step), method: childWorkflowOf(step) };
    case "emitting":
      return { kind: Kind.MESSAGE };
    case "verifying":
      return toVerification(plan, step, state.by, toPublicStatus(plan, state.status));
    case "paused":
      return { ...callOf(plan, step), ...toIncident(plan, state.incident) };
    case "inside":
    case "undoing":
    case "completed":
    case "failed":
    case "skipped":
    case "cancelled":
      return undefined;
  }
}

/** A task that is not written now, because an operator holds it back or the server takes none, is asked for again by a timer. */
function toAttempt({ publish, deferred }: LiveAttempt, call: LiveCall | undefined): Told {
  const kind = deferred === undefined ? Kind.OUTCOME : deferred.purpose.kind === "held" ? Kind.HOLD : Kind.WRITE;
  return { kind, since: toTimestamp(publish.issuedMs), until: untilOf(deferred?.dueMs ?? call?.deadlineMs) };
}

function toDecision({ sinceMs, approvers }: OpenApproval, timer: LiveTimer | undefined): Told {
  const since = toTimestamp(sinceMs);
  return { kind: Kind.APPROVAL, since, until: untilOf(timer?.dueMs), approvers: [...(approvers ?? [])] };
}

function toVerification(
  plan: LoadedPlan,
  step: LiveStep,
  by: LiveStep | undefined,
  lastError: Waiting["lastError"],
): Told {
  if (by === undefined) return { kind: Kind.DOUBT, ...callOf(plan, step), lastError };
  const until = untilOf(by.state.kind === "backingOff" ? by.state.timer.dueMs : undefined);
  return { kind: Kind.VERIFYING, ...callOf(plan, by), lastError, until };
}

function toIncident(plan: LoadedPlan, { reason, status, sinceMs }: OpenIncident): Told {
  const lastError = toPublicStatus(plan, status);
  return { kind: Kind.INCIDENT, since: toTimestamp(sinceMs), incident: reason, lastError };
}

function signalOf({ plan: { action } }: LiveStep): string {
  return action.kind === "signal" ? action.signal.name : "";
}

function childWorkflowOf({ plan: { action } }: LiveStep): string {
  return action.kind === "run" ? action.run.method : "";
}

function callOf(plan: LoadedPlan, { call, lastStatus }: LiveStep): Partial<Waiting> {
  if (call === undefined) return {};
  return {
    method: call.plan.method,
    attempt: call.attempt,
    attemptsMax: call.attemptsBefore + call.plan.retry.attemptsMax,
    lastError: toPublicStatus(plan, lastStatus),
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
