import { RunSnapshot } from "../../../../proto/gen/sidestep/internal/v1/snapshot.ts";
import type {
  RunSnapshot_Frame as StoredFrame,
  RunSnapshot_Scope as StoredScope,
  RunSnapshot_Timer as StoredTimer,
  RunSnapshot_Verdict as StoredVerdict,
} from "../../../../proto/gen/sidestep/internal/v1/snapshot.ts";
import type { BlockPlan, StepPlan } from "../plan.ts";
import type { Frame, LiveTimer, Scope } from "../live.ts";
import type { RunState, Verdict } from "../state.ts";
import { blocksOf } from "./blocks.ts";
import { frameCodes, phaseCodes } from "./codes.ts";
import { toUndoScope, toUndoing } from "./encodeUndo.ts";
import { toAttempt, toStep } from "./encodeStep.ts";
import { toOutsideHead } from "./encodeOutside.ts";
import { toFailure, toStoredFailure, toValue } from "./parts.ts";
import type { Whole } from "./parts.ts";
import { newPlaces } from "./places.ts";
import type { AllPlaces, Places } from "./places.ts";

/**
 * A run between two turns as a sidestep.internal.v1.RunSnapshot, without its RunStarted. The cost grows with what the run still holds, not with
 * what it has been through.
 */
export function encodeRun(state: RunState): Uint8Array {
  const places = newPlaces();
  const head = toHead(state, places);
  const scopes: StoredScope[] = [];
  const frames: StoredFrame[] = [];
  const steps: RunSnapshot["steps"][number][] = [];
  const attempts: RunSnapshot["attempts"][number][] = [];
  const timers: StoredTimer[] = [];
  const undoScopes: RunSnapshot["undoScopes"][number][] = [];
  const undoings: RunSnapshot["undoings"][number][] = [];
  // Each part that is written may name others that have not been met.
  for (let more = true; more;) {
    more = [
      drain(places.steps, steps, (step) => toStep(step, places)),
      drain(places.frames, frames, (frame) => toFrame(frame, places)),
      drain(places.scopes, scopes, (scope) => toScope(scope, places)),
      drain(places.attempts, attempts, (attempt) => toAttempt(attempt, places)),
      drain(places.timers, timers, (timer) => toTimer(timer, places)),
      drain(places.undoScopes, undoScopes, (scope) => toUndoScope(scope, places)),
      drain(places.undoings, undoings, (undoing) => toUndoing(undoing, places)),
    ].includes(true);
  }
  const parts = { scopes, frames, steps, attempts, timers, undoScopes, undoings, types: places.types.parts };
  return RunSnapshot.encode({ ...head, ...parts }).finish();
}

function drain<T, S>(places: Places<T>, written: S[], write: (part: T) => S): boolean {
  const before = written.length;
  for (let part = places.parts[before]; part !== undefined; part = places.parts[written.length])
    written.push(write(part));
  return written.length > before;
}

type Head = Omit<Whole<RunSnapshot>, PartName>;
type PartName = "scopes" | "frames" | "steps" | "attempts" | "timers" | "undoScopes" | "undoings" | "types";

/** The run itself. What its maps hold is met first, in their order. */
function toHead(state: RunState, places: AllPlaces): Head {
  const { steps, attempts, timers } = places;
  for (const step of state.steps.values()) steps.of(step);
  for (const step of state.compensations.values()) steps.of(step);
  for (const attempt of state.attempts.values()) attempts.of(attempt);
  for (const timer of state.timers.values()) timers.of(timer);
  const { ending } = state;
  return {
    begun: state.steps.size,
    compensations: state.compensations.size,
    liveAttempts: state.attempts.size,
    liveTimers: state.timers.size,
    lastSequence: state.lastSequence,
    lastEvent: state.lastEvent,
    nowMs: state.nowMs,
    phase: phaseCodes[state.phase],
    startedMs: state.startedMs,
    deadlineMs: state.deadlineMs,
    deadlineTimer: timers.of(state.deadlineTimer),
    ended: state.ended,
    endedMs: state.endedMs,
    verdict: state.verdict === undefined ? undefined : toVerdict(state.verdict),
    ending:
      ending === undefined
        ? undefined
        : { issuedAt: ending.issuedAt, expectedEvent: ending.expectedEvent, ended: ending.ended },
    body: places.frames.of(state.body),
    bodyFailure: toFailure(state.bodyFailure),
    undo: places.undoScopes.of(state.undo),
    undoing: places.undoings.of(state.undoing),
    undoNoted: state.undoNoted,
    compensated: state.compensated,
    compensationFailed: state.compensationFailed,
    forwardAttempts: state.forwardAttempts,
    lastTimer: state.lastTimer,
    cancelledTimers: [...state.cancelledTimers.values()].map(({ number, issuedAt }) => ({ number, issuedAt })),
    overdueTimer: timers.of(state.overdueTimer),
    incidents: [...state.incidents].map((step) => steps.of(step)),
    requests: [...state.requests],
    pendingSteps: state.pendingSteps,
    yieldsFirst: state.yields.first,
    yields: state.yields.messages,
    ...toOutsideHead(state, places),
  };
}

function toVerdict(verdict: Verdict): StoredVerdict {
  switch (verdict.kind) {
    case "completed":
      return {
        kind: { $case: "completed", value: verdict.response },
        completedPayload: verdict.payload,
        lastMessage: verdict.isLastMessage,
      };
    case "failed":
    case "cancelled":
    case "terminated":
      return {
        kind: { $case: verdict.kind, value: toStoredFailure(verdict.failure) },
        completedPayload: undefined,
        lastMessage: false,
      };
  }
}

function toScope(scope: Scope, places: AllPlaces): StoredScope {
  return {
    parent: places.scopes.of(scope.parent),
    prefix: scope.prefix,
    variables: [...scope.variables].map(([name, value]) => ({ name, value })),
    steps: scope.sharesSteps
      ? []
      : [...scope.steps].map(([id, step]) => ({ id: id === step.plan.id ? "" : id, step: places.steps.of(step) })),
    sharesSteps: scope.sharesSteps,
    caught: toFailure(scope.caught),
    isPass: scope.begun !== undefined,
    begun: scope.sharesSteps ? [] : (scope.begun ?? []).map((step) => places.steps.of(step)),
  } satisfies Whole<StoredScope>;
}

function toFrame(frame: Frame, places: AllPlaces): StoredFrame {
  const { owner } = frame;
  return {
    owner: places.steps.of(owner),
    block: owner === undefined || owner.undoing !== undefined ? 0 : placeOf(frame.block, owner.plan),
    slot: frame.slot,
    scope: places.scopes.of(frame.scope),
    position: frame.position,
    current: places.steps.of(frame.current),
    state: frameCodes[frame.state],
    result: toValue(frame.result, places),
    phase: frame.phase,
    undo: places.undoScopes.of(frame.undo),
    compensates: frame.compensates,
    failure: toFailure(frame.failure),
  } satisfies Whole<StoredFrame>;
}

function placeOf(block: BlockPlan, step: StepPlan): number {
  const place = blocksOf(step).indexOf(block);
  if (place < 0) throw new Error(`a block of ${step.name} has no place in snapshots`);
  return place;
}

function toTimer(timer: LiveTimer, places: AllPlaces): StoredTimer {
  const { number, dueMs, arm } = timer;
  return {
    number,
    dueMs,
    issuedAt: arm.issuedAt,
    purpose: toPurpose(timer, places),
  } satisfies Whole<StoredTimer>;
}

function toPurpose({ purpose }: LiveTimer, { steps, attempts }: AllPlaces): StoredTimer["purpose"] {
  switch (purpose.kind) {
    case "backoff":
    case "wait":
    case "pass":
    case "stepDeadline":
    case "due":
      return { $case: purpose.kind, value: steps.of(purpose.step) };
    case "runDeadline":
    case "overdue":
    case "rest":
      return { $case: purpose.kind, value: {} };
    case "reissue":
    case "held":
      return { $case: purpose.kind, value: attempts.of(purpose.attempt) };
  }
}
