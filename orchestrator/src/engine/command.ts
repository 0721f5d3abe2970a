import type { AttemptId, RunEnded } from "../../../proto/gen/sidestep/internal/v1/event.ts";

/**
 * What the engine asks the outside world to do. Each command is part of the state until an event settles it, with the sequence of the
 * event that asked for it; carrying one out twice is always safe.
 */
export type Command = PublishTask | ArmTimer | CancelTimer | CloseAttempt | EndRun;

/** Durable: one attempt of one call, for the sidecars of its service. */
export interface PublishTask {
  readonly kind: "publishTask";
  readonly issuedAt: number;
  /** Log time of the issuing event. */
  readonly issuedMs: number;
  readonly attempt: AttemptId;
  /** "package.Service/Method" */
  readonly method: string;
  readonly request: Uint8Array;
  /** The step's own headers; the adapter adds idempotency key, run, step, attempt and trace. */
  readonly headers: readonly { readonly key: string; readonly value: string }[];
  readonly timeoutMs: number;
  /** The step must not be repeated: claimed durably before the call. */
  readonly claim: boolean;
  /** It was asked for before, and may have been written then. */
  readonly isReissue: boolean;
  /** Set on a compensating call: the attempt id of the forward call that it undoes. */
  readonly compensates: AttemptId | undefined;
}

/** Durable: TimerFired with this number comes at dueMs (log time), at least once. */
export interface ArmTimer {
  readonly kind: "armTimer";
  readonly issuedAt: number;
  readonly number: number;
  readonly dueMs: number;
}

/** Durable: a timer that is not needed any more; it may have fired. */
export interface CancelTimer {
  readonly kind: "cancelTimer";
  readonly issuedAt: number;
  readonly number: number;
}

/**
 * The attempt is wanted no more, yet it may be under way: reset its call, let nobody begin it, and append AttemptExpired once its time
 * is certainly over without an outcome.
 */
export interface CloseAttempt {
  readonly kind: "closeAttempt";
  readonly issuedAt: number;
  readonly attempt: AttemptId;
  readonly method: string;
  /** Longest time that one call takes. */
  readonly timeoutMs: number;
}

/** Append the end, provided the run's last event is still `expectedEvent`. */
export interface EndRun {
  readonly kind: "endRun";
  readonly issuedAt: number;
  /** Sequence of the last `.e` message that the state has folded. */
  readonly expectedEvent: number;
  readonly ended: RunEnded;
}
