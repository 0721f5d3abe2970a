import type {
  RunSnapshot,
  RunSnapshot_Step as StoredStep,
} from "../../../../proto/gen/sidestep/internal/v1/snapshot.ts";
import type { StepState } from "../live.ts";
import { broken, required } from "./broken.ts";
import { finishInner } from "./finishInner.ts";
import { toFailure } from "./rebuild.ts";
import type { Parts } from "./rebuild.ts";

/** Gives a scope the steps that are known in it. */
export function finishScope(parts: Parts, stored: RunSnapshot["scopes"][number], place: number): void {
  const scope = required(parts.scope(place), "a scope");
  for (const named of stored.steps) {
    const step = required(parts.step(named.step), "a step of a scope");
    scope.steps.set(named.id === "" ? step.plan.id : named.id, step);
  }
  for (const begun of stored.begun) scope.begun?.push(required(parts.step(begun), "a step of a pass"));
}

/** Gives a frame the step that is open in it. */
export function finishFrame(parts: Parts, stored: RunSnapshot["frames"][number], place: number): void {
  required(parts.frame(place), "a frame").current = parts.step(stored.current);
}

/** Gives an attempt the timer that asks for it again. */
export function finishAttempt(parts: Parts, stored: RunSnapshot["attempts"][number], place: number): void {
  required(parts.attempt(place), "an attempt").deferred = parts.timer(stored.deferred);
}

/** Gives a step its state and its blocks. */
export function finishStep(parts: Parts, stored: StoredStep, place: number): void {
  const step = required(parts.step(place), "a step");
  step.state = toState(parts, stored.state);
  if (step.call !== undefined) step.call.deadlineTimer = parts.timer(stored.call?.deadlineTimer ?? 0);
  if (step.inner !== undefined && stored.inner !== undefined) finishInner(parts, step.inner, stored.inner);
}

function toState(parts: Parts, stored: StoredStep["state"]): StepState {
  switch (stored?.$case) {
    case "ready":
    case "queued":
    case "inside":
    case "completed":
    case "skipped":
    case "cancelled":
      return { kind: stored.$case };
    case "running":
      return { kind: "running", attempt: required(parts.attempt(stored.value), "a running attempt") };
    case "closing": {
      const { attempt, byTimeout } = stored.value;
      const closing = required(parts.attempt(attempt), "a closing attempt");
      return { kind: "closing", attempt: closing, reason: byTimeout ? "timeout" : "stop" };
    }
    case "backingOff":
    case "waiting":
      return { kind: stored.$case, timer: required(parts.timer(stored.value), "the timer of a step") };
    case "listening":
      return { kind: "listening", timer: parts.timer(stored.value) };
    case "asking": {
      const { title, detail, byAnybody, approvers, sinceMs, timer } = stored.value;
      const approval = { title, detail, approvers: byAnybody ? undefined : approvers, sinceMs };
      return { kind: "asking", approval, timer: parts.timer(timer) };
    }
    case "following":
    case "emitting":
      return { kind: stored.$case, isStopping: stored.value.isStopping };
    case "verifying": {
      const status = required(stored.value.status, "what is in doubt");
      return { kind: "verifying", status, by: parts.step(stored.value.by) };
    }
    case "paused": {
      const { reason, status, sinceMs } = stored.value;
      return { kind: "paused", incident: { reason, status: required(status, "why a step is paused"), sinceMs } };
    }
    case "undoing":
      return { kind: "undoing", undoing: required(parts.undoing(stored.value), "what a step undoes") };
    case "failed":
      return { kind: "failed", failure: required(toFailure(stored.value), "why a step failed") };
    case undefined:
      return broken("the state of a step is unknown");
  }
}
