import { Failure_Origin } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Failure } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { code } from "../../../proto/wire/status.ts";
import { retryAfterMsMax } from "./limits.ts";
import type { CallPlan, RetryPlan } from "./plan.ts";

/** What a failure is judged by. */
export interface FailedTry {
  readonly failure: Failure;
  /** Bytes of the request may have left. */
  readonly sent: boolean;
  /** An earlier delivery of the task may have begun the call. */
  readonly redelivered: boolean;
}

/** What a failed try means for its step. */
export interface Judgement {
  /** "again": try again. "doubt": the call may have been carried out; on_doubt decides. "answer": never tried again. */
  readonly next: "again" | "doubt" | "answer";
  readonly maybeExecuted: boolean;
}

/**
 * The table of docs/guarantees.md: status × who raised it × whether it left × idempotency_level, narrowed by Retry.on. A failure of a
 * redelivered task leaves the call maybe executed whatever it says.
 */
export function judge(call: CallPlan, { failure, sent, redelivered }: FailedTry): Judgement {
  const kind = classify(failure, sent);
  const maybeExecuted = kind === "unknown" || kind === "tooLarge" || redelivered;
  if (kind === "unknown" && call.isClaimed) return { next: "doubt", maybeExecuted };
  return { next: mayTryAgain(call, kind, failure) ? "again" : "answer", maybeExecuted };
}

function mayTryAgain(call: CallPlan, kind: FailureClass, failure: Failure): boolean {
  // A negative pause is the service's way to say: not again.
  if (kind === "tooLarge" || (failure.retryAfterMs ?? 0) < 0) return false;
  if (kind === "neverSent") return true;
  const { on } = call.retry;
  return on.size === 0 ? kind !== "answer" : on.has(failure.code);
}

type FailureClass =
  /** No byte of the request left. */
  | "neverSent"
  | "notCarriedOut"
  | "unknown"
  /** The application's own answer. */
  | "answer"
  /** Our own client refused the answer for its size: the call was carried out. */
  | "tooLarge";

function classify(failure: Failure, sent: boolean): FailureClass {
  if (applicationAnswers.has(failure.code)) return "answer";
  if (!sent) return "neverSent";
  if (failure.code === code.RESOURCE_EXHAUSTED) {
    return failure.origin === Failure_Origin.TRANSPORT ? "tooLarge" : "notCarriedOut";
  }
  return failure.code === code.ABORTED ? "notCarriedOut" : "unknown";
}

const applicationAnswers: ReadonlySet<number> = new Set([
  code.INVALID_ARGUMENT,
  code.NOT_FOUND,
  code.ALREADY_EXISTS,
  code.PERMISSION_DENIED,
  code.FAILED_PRECONDITION,
  code.OUT_OF_RANGE,
  code.UNIMPLEMENTED,
  code.DATA_LOSS,
  code.UNAUTHENTICATED,
]);

/**
 * Pause before the next attempt, in whole milliseconds: what the service asked for, else full jitter over the doubled backoff. `name` is
 * the failed attempt's, with its run: the same attempt pauses equally long at each replay. `tries` counts from 1 since the last fresh start.
 */
export function backoffMs(retry: RetryPlan, tries: number, name: string, retryAfterMs: number | undefined): number {
  if (retryAfterMs !== undefined) return Math.min(Math.ceil(Math.max(retryAfterMs, 0)), retryAfterMsMax);
  return Math.floor(fractionOf(name) * ceilingMs(retry, tries));
}

/** Multiplied out: a power may differ in its last digit from one JavaScript engine to the next. */
function ceilingMs({ backoffMs: firstMs, backoffMaxMs, multiplier }: RetryPlan, tries: number): number {
  let ceiling = firstMs;
  for (let i = 1; i < tries && ceiling < backoffMaxMs; i++) ceiling *= multiplier;
  return Math.min(ceiling, backoffMaxMs);
}

/** A number in [0, 1), spread evenly over names: FNV-1a, then the finalizer of MurmurHash3. */
export function fractionOf(name: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) {
    hash ^= name.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193);
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  return (hash >>> 0) / 2 ** 32;
}
