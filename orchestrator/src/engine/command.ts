import type {
  AttemptId,
  LockHolder,
  ParentStep,
  PayloadRef,
  RunEnded,
} from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { StreamPlan } from "./plan.ts";

/**
 * What the engine asks the outside world to do. Each command is part of the state until an event settles it, with the sequence of the
 * event that asked for it; carrying one out twice is always safe.
 */
export type Command =
  | PublishTask
  | ArmTimer
  | CancelTimer
  | CloseAttempt
  | EndRun
  | StartChild
  | StopChild
  | TellParent
  | EmitMessage
  | RequestLock
  | ReleaseLock
  | GrantLock
  | DeleteRun
  | StartRerun;

/** Carried out by a new owner whenever it was issued in the window, wanted or not: no event settles it. */
export function isOneShot({ kind }: Command): boolean {
  return (
    kind === "cancelTimer" ||
    kind === "stopChild" ||
    kind === "tellParent" ||
    kind === "releaseLock" ||
    kind === "startRerun"
  );
}

/** A header of a call: its text, or the name of a secret that only the sidecar knows. */
export type CallHeader =
  | { readonly key: string; readonly value: string }
  | { readonly key: string; readonly secret: string };

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
  /** Set: the request is kept apart, and `request` is empty. */
  readonly payload: PayloadRef | undefined;
  /** The step's own headers; the adapter adds idempotency key, run, step, attempt and trace. */
  readonly headers: readonly CallHeader[];
  readonly timeoutMs: number;
  /** The step must not be repeated: claimed durably before the call. */
  readonly claim: boolean;
  /** The rpc returns a stream: how much of it is collected. */
  readonly stream: StreamPlan | undefined;
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

/** A step of another run, or of this one in one of its generations. */
export interface StepName {
  readonly step: string;
  readonly generation: number;
}

/**
 * Durable: a child run whose id is a function of parent, step and generation; the first start of that id counts. What can't be started is told
 * by ChildRefused, a detached one's start by ChildStarted. Open until one of these or ChildEnded comes.
 */
export interface StartChild {
  readonly kind: "startChild";
  readonly issuedAt: number;
  readonly at: StepName;
  /** Full name of the workflow rpc; its active version is pinned when the start is written. */
  readonly workflow: string;
  readonly request: Uint8Array;
  /** Undefined: the child's own key. */
  readonly key: string | undefined;
  readonly detach: boolean;
}

/** Durable: cancels or terminates a child, after its start. One-shot; the child's end, or its refusal, comes all the same. */
export interface StopChild {
  readonly kind: "stopChild";
  readonly issuedAt: number;
  readonly at: StepName;
  readonly how: "cancel" | "terminate";
  readonly reason: string;
}

/** Durable: ChildEnded in the parent's log. One-shot, asked for when RunEnded is folded. */
export interface TellParent {
  readonly kind: "tellParent";
  readonly issuedAt: number;
  readonly parent: ParentStep;
  readonly ended: RunEnded;
}

/** Durable: a message on a subject of the user's, in a stream of the user's; then Emitted. Open until Emitted or CommandRejected comes. */
export interface EmitMessage {
  readonly kind: "emitMessage";
  readonly issuedAt: number;
  readonly at: StepName;
  readonly subject: string;
  /** Full name of the message's type. */
  readonly type: string;
  readonly message: Uint8Array;
}

/** Durable: LockRequested in the lock's log. Open until LockGranted comes. */
export interface RequestLock {
  readonly kind: "requestLock";
  readonly issuedAt: number;
  readonly at: StepName;
  readonly lock: string;
}

/** Durable: LockReleased in the lock's log, whether the lock has been granted or not. One-shot. */
export interface ReleaseLock {
  readonly kind: "releaseLock";
  readonly issuedAt: number;
  readonly at: StepName;
  readonly lock: string;
}

/** Durable: LockGranted in the holder's log. Asked for by a lock, not by a run; open while the holder is the first of its queue. */
export interface GrantLock {
  readonly kind: "grantLock";
  readonly issuedAt: number;
  readonly lock: string;
  readonly holder: LockHolder;
}

/** The run has ended, and all that there is of it goes, when nobody may have to read it again. What is carried out is remembered by the lease. */
export interface DeleteRun {
  readonly kind: "deleteRun";
  readonly issuedAt: number;
}

/** Durable: the start of a run that goes on in place of this one, and its key. One-shot, asked for once. */
export interface StartRerun {
  readonly kind: "startRerun";
  readonly issuedAt: number;
  /** 16 bytes: the run that is to be. */
  readonly runId: Uint8Array;
  /** Name of the first step that runs. */
  readonly step: string;
  readonly reason: string;
  readonly actor: string;
}
