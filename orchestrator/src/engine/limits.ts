import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { KeptValue } from "./expression/result.ts";
import { code } from "../../../proto/wire/status.ts";
import { toFailure } from "./failure.ts";
import type { Failure, LiveStep } from "./live.ts";
import type { RunState } from "./state.ts";

/** Cancellations of timers that a run remembers: a lost one only lets its timer fire in vain. */
export const cancelledTimersMax = 1_000;

/** Requests of people that a run remembers, to tell a doubled one. */
export const requestsMax = 1_000;

/** A service may ask for a longer pause; it gets this. */
export const retryAfterMsMax = 24 * 60 * 60 * 1_000;

/** Longest deadline of a call, in whole milliseconds: what a timer of a sidecar can hold. */
export const callTimeoutMsMax = 24 * 24 * 60 * 60 * 1_000;

/** Messages that are collected of a server-streaming rpc, unless the call says how many. */
export const streamMessagesMax = 10_000;

/** Bytes of them, unless the call says how many; the limit of payloads holds as well. */
export const streamBytesMax = 16 * 1024 * 1024;

/** Finished passes of a for_each over more elements than this are not shown any more. */
export const passesShownMax = 1_000;

/** A start that the log stored later than this after its issue is void. */
export const startValidMs = 30_000;

/** Does a start count for nothing? Its caller has been told UNAVAILABLE then; a run that another run starts has no such caller. */
export function isVoidStart({ parent, detachedFrom, rerun, issuedAtMs }: RunStarted, storedMs: number): boolean {
  const isByRun = parent !== undefined || detachedFrom !== undefined || rerun !== undefined;
  return !isByRun && storedMs - issuedAtMs > startValidMs;
}

/** Pause before a task that could not be written for long is asked for again. */
export const reissueAfterMs = 30_000;

/** Pause before a task that an operator holds back is asked for again: as long as its step has waited, within bounds. */
export function heldPauseMs(waitedMs: number): number {
  return Math.min(Math.max(waitedMs, reissueAfterMs), heldPauseMsMax);
}

const heldPauseMsMax = 300_000;

/** Overdue attempts are looked for at most this often. */
export const overduePauseMs = 1_000;

/** Does a payload fit the limit that the run has pinned? No limit pinned, or 0: everything fits. */
export function fitsPayload(state: RunState, sizeBytes: number): boolean {
  const max = state.started?.limits?.payloadBytesMax ?? 0;
  return max === 0 || sizeBytes <= max;
}

/** Does a call's result fit, kept apart or not? */
export function fitsResult(state: RunState, { bytes, payload }: KeptValue): boolean {
  if (payload === undefined) return fitsPayload(state, bytes.length);
  const max = state.started?.limits?.claimedBytesMax ?? 0;
  return max === 0 || payload.sizeBytes <= max;
}

/** What is kept of the run is too large; undefined: it fits. */
export function tooLarge(state: RunState, step: string, what: string, sizeBytes: number): Failure | undefined {
  if (fitsPayload(state, sizeBytes)) return undefined;
  const message = `${what} has ${sizeBytes} bytes, ${state.started?.limits?.payloadBytesMax ?? 0} are allowed (--payload-bytes-max)`;
  return toFailure(state.runId, step, code.RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE", message);
}

/** The failure of a step that finds no place among the open ones. */
export function tooManySteps({ pendingSteps, runId }: RunState, step: string): Failure {
  const message = `more than ${pendingSteps} steps are open at one time (--pending-steps-max)`;
  return toFailure(runId, step, code.RESOURCE_EXHAUSTED, "TOO_MANY_STEPS", message);
}

/** Ids of signals that a run remembers, to tell a doubled one. */
export const signalIdsMax = 10_000;

/** Characters of a lock's name. */
export const lockNameMax = 256;

/** May the run keep one more signal that no step has taken? */
export function mayKeepSignal(state: RunState): boolean {
  const max = state.started?.limits?.signalsMax ?? 0;
  return max === 0 || state.signals.length < max;
}

/** May the run open one more call or wait? What undoes a step, or verifies it, always may. */
export function mayOpenStep(state: RunState, { phase }: LiveStep): boolean {
  const max = state.started?.limits?.pendingStepsMax ?? 0;
  return max === 0 || state.pendingSteps < max || phase !== Phase.FORWARD;
}
