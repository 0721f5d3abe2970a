import type { RunStarted } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import { RunSnapshot } from "../../../../proto/gen/sidestep/internal/v1/snapshot.ts";
import type { RunSnapshot_Verdict as StoredVerdict } from "../../../../proto/gen/sidestep/internal/v1/snapshot.ts";
import type { LoadedPlan } from "../plan.ts";
import { attemptName } from "../state.ts";
import type { LiveStep } from "../live.ts";
import type { RunState, Verdict } from "../state.ts";
import { toYields } from "../yields.ts";
import { phases } from "./codes.ts";
import { finishAttempt, finishFrame, finishScope, finishStep } from "./finish.ts";
import { finishUndoing, finishUndoScope } from "./finishUndo.ts";
import { toOutsideState } from "./outside.ts";
import { openParts, toFailure } from "./rebuild.ts";
import type { Parts } from "./rebuild.ts";
import { broken, required } from "./broken.ts";

/**
 * The state that encodeRun wrote, for a run of this plan and start. Throws when the bytes are not the snapshot of such a run.
 */
export function decodeRun(plan: LoadedPlan, runId: string, started: RunStarted, bytes: Uint8Array): RunState {
  const stored = RunSnapshot.decode(bytes);
  const parts = openParts(plan, stored);
  stored.scopes.forEach((scope, i) => finishScope(parts, scope, i + 1));
  stored.frames.forEach((frame, i) => finishFrame(parts, frame, i + 1));
  stored.attempts.forEach((attempt, i) => finishAttempt(parts, attempt, i + 1));
  stored.steps.forEach((step, i) => finishStep(parts, step, i + 1));
  stored.undoScopes.forEach((scope, i) => finishUndoScope(parts, scope, i + 1));
  stored.undoings.forEach((undoing, i) => finishUndoing(parts, undoing, i + 1));
  const { ending } = stored;
  return {
    runId,
    lastSequence: stored.lastSequence,
    lastEvent: stored.lastEvent,
    nowMs: stored.nowMs,
    phase: phases.get(stored.phase) ?? broken(`its phase ${stored.phase} is unknown`),
    started,
    startedMs: stored.startedMs,
    deadlineMs: stored.deadlineMs,
    deadlineTimer: parts.timer(stored.deadlineTimer),
    ended: stored.ended,
    endedMs: stored.endedMs,
    verdict: stored.verdict === undefined ? undefined : toVerdict(stored.verdict),
    ending:
      ending === undefined
        ? undefined
        : {
            kind: "endRun",
            issuedAt: ending.issuedAt,
            expectedEvent: ending.expectedEvent,
            ended: required(ending.ended, "the end that is asked for"),
          },
    body: parts.frame(stored.body),
    bodyFailure: toFailure(stored.bodyFailure),
    steps: byPath(parts, 0, stored.begun),
    compensations: byPath(parts, stored.begun, stored.compensations),
    undo: required(parts.undoScope(stored.undo), "what is left to undo"),
    undoing: parts.undoing(stored.undoing),
    undoNoted: stored.undoNoted,
    compensated: stored.compensated,
    compensationFailed: stored.compensationFailed,
    attempts: new Map(
      places(stored.liveAttempts).map((place) => {
        const attempt = required(parts.attempt(place), "an attempt");
        return [attemptName(attempt.id), attempt];
      }),
    ),
    forwardAttempts: stored.forwardAttempts,
    timers: new Map(
      places(stored.liveTimers).map((place) => {
        const timer = required(parts.timer(place), "a timer");
        return [timer.number, timer];
      }),
    ),
    lastTimer: stored.lastTimer,
    cancelledTimers: new Map(
      stored.cancelledTimers.map(({ number, issuedAt }) => [number, { kind: "cancelTimer", issuedAt, number }]),
    ),
    overdueTimer: parts.timer(stored.overdueTimer),
    incidents: new Set(stored.incidents.map((place) => stepAt(parts, place))),
    requests: new Set(stored.requests),
    pendingSteps: stored.pendingSteps,
    yields: toYields(stored.yieldsFirst, stored.yields),
    ...toOutsideState(parts, stored, started),
    worklist: [],
  };
}

function byPath(parts: Parts, after: number, count: number): Map<string, LiveStep> {
  return new Map(
    places(count).map((place) => {
      const step = stepAt(parts, after + place);
      return [step.path, step];
    }),
  );
}

function stepAt(parts: Parts, place: number): LiveStep {
  return required(parts.step(place), "a step");
}

function places(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}

function toVerdict({ kind, completedPayload, lastMessage }: StoredVerdict): Verdict {
  switch (kind?.$case) {
    case "completed":
      return { kind: "completed", response: kind.value, payload: completedPayload, isLastMessage: lastMessage };
    case "failed":
    case "cancelled":
    case "terminated":
      return { kind: kind.$case, failure: required(toFailure(kind.value), "why the run fails") };
    case undefined:
      return broken("its verdict is unknown");
  }
}
