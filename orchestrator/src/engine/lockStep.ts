import type { LockGranted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { code } from "../../../proto/wire/status.ts";
import type { RequestLock, StepName } from "./command.ts";
import type { Draft } from "./draft.ts";
import { evaluateText } from "./evaluate.ts";
import { toFailure } from "./failure.ts";
import { lockNameMax } from "./limits.ts";
import { makeOutside } from "./outside.ts";
import type { LiveLock } from "./outside.ts";
import { takePlace } from "./place.ts";
import type { PlannedExpression } from "./plan.ts";
import type { LiveStep } from "./live.ts";
import { stepAt } from "./state.ts";
import { failStep, leaveIncident, releasePlace } from "./step.ts";

/** The step's `when` is true: asks for its lock; the step begins when it is granted. */
export function queueStep(draft: Draft, step: LiveStep, lock: PlannedExpression): void {
  const { state } = draft;
  const evaluated = evaluateText({ state, scope: step.frame.scope, step: step.path }, lock);
  if (evaluated.kind === "failed") {
    failStep(draft, step, evaluated.failure);
    return;
  }
  const name = evaluated.value;
  if (name === "" || name.length > lockNameMax) {
    const message = `the name of a lock has 1 to ${lockNameMax} characters, this one has ${name.length}`;
    failStep(draft, step, toFailure(state.runId, step.path, code.INVALID_ARGUMENT, "LOCK_NAME", message));
    return;
  }
  if (!takePlace(draft, step)) return;
  const at = { step: step.path, generation: step.generation };
  const request: RequestLock = { kind: "requestLock", issuedAt: draft.sequence, at, lock: name };
  step.outside ??= makeOutside();
  step.outside.lock = { name, at, request, isGranted: false };
  state.locks.add(step);
  step.state = { kind: "queued" };
  draft.commands.push(request);
}

/** Asks for the same lock again: the request may have been written. */
export function requestAgain(draft: Draft, step: LiveStep, lock: LiveLock): void {
  lock.request = { ...lock.request, issuedAt: draft.sequence };
  step.state = { kind: "queued" };
  draft.commands.push(lock.request);
}

/** The lock is the step's. One that nobody wants any more is given back, also by a run that has ended. */
export function grantLock(draft: Draft, { step: id, lock: name }: LockGranted): boolean {
  const { state } = draft;
  if (id === undefined) return false;
  const step = stepAt(state, id.step);
  const lock = step?.outside?.lock;
  const isWanted = lock?.name === name && lock.at.generation === id.generation;
  if (step === undefined || lock === undefined || !isWanted || !state.locks.has(step)) {
    draft.commands.push({ kind: "releaseLock", issuedAt: draft.sequence, at: id, lock: name });
    return true;
  }
  if (lock.isGranted) return false;
  lock.isGranted = true;
  if (step.state.kind !== "queued" && step.state.kind !== "paused") return true;
  leaveIncident(draft, step);
  releasePlace(draft, step);
  step.state = { kind: "ready" };
  state.worklist.push(step);
  return true;
}

/** The step that a command is about, while it waits for its lock. */
export function queuedStep({ state }: Draft, { step: path, generation }: StepName): LiveStep | undefined {
  const step = stepAt(state, path);
  return step?.state.kind === "queued" && step.outside?.lock?.at.generation === generation ? step : undefined;
}
