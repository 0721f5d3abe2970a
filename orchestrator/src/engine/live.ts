import type { AttemptId, AttemptId_Phase, PayloadRef } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import type { Incident_Reason } from "../../../proto/gen/sidestep/v1/run.ts";
import type { ArmTimer, CallHeader, CloseAttempt, PublishTask } from "./command.ts";
import type { KeptValue } from "./expression/result.ts";
import type { KeptList } from "./keptList.ts";
import type { OpenApproval, Outside } from "./outside.ts";
import type { BlockPlan, CallPlan, StepPlan } from "./plan.ts";

/** Why a step or a run fails. */
export interface Failure {
  readonly status: RpcStatus;
  /** Path of the step; empty: the run itself. */
  readonly step: string;
}

/** One pass over a block: the body, an arm, a branch, an iteration, a compensation. Its steps go one after the other. */
export interface Frame {
  readonly kind: "frame";
  readonly block: BlockPlan;
  /** The step whose block it is; undefined: the body. */
  readonly owner: LiveStep | undefined;
  /** Which of the owner's frames. */
  readonly slot: number;
  readonly scope: Scope;
  /** Of its steps. */
  readonly phase: AttemptId_Phase;
  /** Where its steps are noted for undoing. */
  readonly undo: UndoScope;
  /** The forward call that its steps undo. */
  readonly compensates: AttemptId | undefined;
  /** Index of the next step to begin. */
  position: number;
  /** The step that is open. */
  current: LiveStep | undefined;
  state: FrameState;
  result: KeptValue | undefined;
  /** Set when it has failed. */
  failure: Failure | undefined;
}

export type FrameState =
  | "going"
  /** Begins nothing more; its open step is awaited. */
  | "stopping"
  | "done"
  | "failed"
  | "stopped";

/** What expressions of a block see: its own pass's values, then those around it. Blocks that are not passes share one. */
export interface Scope {
  readonly parent: Scope | undefined;
  /** Before the names of its steps in paths: "labels[3]/". */
  readonly prefix: string;
  /** Element, position, carries, the caught error. */
  readonly variables: Map<string, Uint8Array>;
  /** Steps with an id that have begun, by id. */
  readonly steps: Map<string, LiveStep>;
  /** `steps` and `begun` are those of the scope around it. */
  readonly sharesSteps: boolean;
  /** The failure that `error` stands for. */
  readonly caught: Failure | undefined;
  /** Steps that have begun in it and may be forgotten with its pass; undefined: none is ever forgotten. */
  readonly begun: LiveStep[] | undefined;
}

/** What is left to undo inside a try, or inside a step that has a compensation of its own; nested like them, the run outermost. */
export interface UndoScope {
  readonly parent: UndoScope | undefined;
  /** It is where compensate_now looks: a try's, or the run's. */
  readonly isTry: boolean;
  /** Ended steps with a compensation, those of open scopes inside not among them. */
  steps: LiveStep[];
  /** Path of the step that it belongs to; empty: the run. */
  readonly step: string;
  /** Scopes inside that are open, by step. */
  readonly open: Map<string, UndoScope>;
  /** merged: what was left went to the one around it. covered: the step's own compensation undoes it all. */
  state: "open" | "merged" | "covered";
  /** Forward attempts that may be under way inside. */
  attempts: number;
  /** compensate_now steps that wait until there are none. */
  readonly waiting: Set<LiveStep>;
}

/** Steps that are being undone: at the run's end, or by a compensate_now step. */
export interface Undoing {
  /** Not begun, in the order in which they ended; the last goes first. */
  readonly waiting: LiveStep[];
  /** Compensations not over yet. */
  open: number;
  /** The compensate_now step; undefined: the run is at its end. */
  readonly owner: LiveStep | undefined;
  /** What is to be undone is known. */
  hasBegun: boolean;
  /** Nothing more is begun. */
  isStopping: boolean;
  /** The first compensation that failed. */
  failure: Failure | undefined;
}

/** A step of the run, or the compensation of one. */
export interface LiveStep {
  readonly kind: "step";
  readonly plan: StepPlan;
  readonly phase: AttemptId_Phase;
  readonly path: string;
  /** Grows when the step is run anew, with a new idempotency key; tries of one logical call share it. */
  generation: number;
  readonly frame: Frame;
  state: StepState;
  startedMs: number;
  /** 0: it is open. */
  endedMs: number;
  result: KeptValue | undefined;
  /** A call may have been carried out although no success is known. Stays. */
  maybeExecuted: boolean;
  /** Of its last attempt or of its end. */
  lastStatus: RpcStatus | undefined;
  /** It counts among RunState.pendingSteps. */
  isPending: boolean;
  /** Set for calls and compensations by one. */
  readonly call: LiveCall | undefined;
  /** Set for steps with blocks and compensations by one. */
  readonly inner: Inner | undefined;
  /** Set for the compensation of a step as a whole. */
  readonly undoing: Undoing | undefined;
  /** Its place among what is to be undone; 0: it has never been noted. */
  undoOrder: number;
  /** What it has asked of the world besides calls; undefined: nothing. */
  outside: Outside | undefined;
  /** Set for what asks whether a call was carried out: the call's step. */
  readonly verifies: LiveStep | undefined;
}

/** Kind of a step's state; every kind meets every event (stateTable.test.ts). */
export type StepStateKind = StepState["kind"];

export type StepState =
  /** On the worklist: what it does is to begin, or its next attempt or pass is. Between turns only while the run is held. */
  | { readonly kind: "ready" }
  /** Its lock has been asked for. */
  | { readonly kind: "queued" }
  /** A task is out. */
  | { readonly kind: "running"; readonly attempt: LiveAttempt }
  /** Its last attempt is wanted no more; its outcome or its end is awaited. */
  | { readonly kind: "closing"; readonly attempt: LiveAttempt; readonly reason: "stop" | "timeout" }
  /** A timer is out, then the next attempt. */
  | { readonly kind: "backingOff"; readonly timer: LiveTimer }
  /** A wait step, or a loop between two passes: its timer is out. */
  | { readonly kind: "waiting"; readonly timer: LiveTimer }
  /** A signal step: none that it takes has come. Without a timer it waits for ever. */
  | { readonly kind: "listening"; readonly timer: LiveTimer | undefined }
  /** An approve step: nobody has decided. */
  | { readonly kind: "asking"; readonly approval: OpenApproval; readonly timer: LiveTimer | undefined }
  /** A run step: its child's end is awaited; a detached one's start. */
  | { readonly kind: "following"; readonly isStopping: boolean }
  /** An emit step: its message is being stored. */
  | { readonly kind: "emitting"; readonly isStopping: boolean }
  /** The call's outcome is unknown: `by` asks whether it was carried out; undefined: an attempt may still be under way. */
  | { readonly kind: "verifying"; readonly status: RpcStatus; readonly by: LiveStep | undefined }
  /** Its blocks run. */
  | { readonly kind: "inside" }
  /** A compensate_now step: others are undone. */
  | { readonly kind: "undoing"; readonly undoing: Undoing }
  /** An incident: a person decides. */
  | { readonly kind: "paused"; readonly incident: OpenIncident }
  | { readonly kind: "completed" }
  | { readonly kind: "failed"; readonly failure: Failure }
  | { readonly kind: "skipped" }
  /** Given up because the run stops. */
  | { readonly kind: "cancelled" };

export interface OpenIncident {
  readonly reason: Incident_Reason;
  readonly status: RpcStatus;
  readonly sinceMs: number;
}

/** What a call needs over its attempts. */
export interface LiveCall {
  readonly plan: CallPlan;
  /** Evaluated once: all attempts send the same bytes. Released at the end. */
  prepared: PreparedCall | undefined;
  /** Number of the last attempt. */
  attempt: number;
  /** Attempts made when a person last asked for a retry. */
  attemptsBefore: number;
  /** Attempts that may be under way. */
  inFlight: number;
  /** The request that a person gave; undefined: the plan's. */
  patch: Uint8Array | undefined;
  /** When step_timeout is over. */
  deadlineMs: number | undefined;
  deadlineTimer: LiveTimer | undefined;
  /** The forward call that this compensating one undoes. */
  readonly compensates: AttemptId | undefined;
}

/** What a call sends. */
export interface PreparedCall {
  readonly request: Uint8Array;
  /** Set: the request is kept apart, and `request` is empty. */
  readonly payload: PayloadRef | undefined;
  readonly headers: readonly CallHeader[];
}

/** The blocks of a step. */
export interface Inner {
  /** Frames that are not over, by slot, in the order in which they were entered. */
  readonly frames: Map<number, Frame>;
  /** Frames entered so far. */
  entered: number;
  /** Frames that are done. */
  done: number;
  /** Frames that have failed. */
  failed: number;
  /** Values of those that are done and have one, by slot, in the order in which they ended. */
  readonly results: Map<number, KeptValue>;
  /** Frames that have ended since the step last went on. */
  ended: Frame[];
  /** The first failure among them. */
  failure: Failure | undefined;
  /** They are being given up: nothing more is entered. */
  isStopping: boolean;
  readonly undo: UndoScope;
  /** How far a for_each, loop or try is; set when it has begun. */
  progress: Progress | undefined;
}

export type Progress = ForEachProgress | LoopProgress | TryProgress;

export interface ForEachProgress {
  readonly kind: "forEach";
  readonly list: KeptList;
  /** Position of the next element. */
  next: number;
  /** Bytes of all results so far. */
  resultBytes: number;
}

export interface LoopProgress {
  readonly kind: "loop";
  /** Passes that have begun. */
  passes: number;
  /** Values of the carries, in their order. */
  carries: readonly KeptValue[];
  /** Values of the passes; undefined: they are not collected. */
  readonly collected: KeptValue[] | undefined;
  resultBytes: number;
  /** Scope of the last pass, whose steps are still remembered. */
  last: Scope | undefined;
}

export interface TryProgress {
  readonly kind: "try";
  stage: "body" | "catch" | "finally";
  /** How it will end after `finally`. */
  failure: Failure | undefined;
  result: KeptValue | undefined;
}

/** An attempt that may be under way. */
export interface LiveAttempt {
  readonly id: AttemptId;
  readonly step: LiveStep;
  /** Open until an outcome or AttemptExpired settles it. */
  publish: PublishTask;
  /** Set when it is wanted no more. */
  close: CloseAttempt | undefined;
  /** Its end has been told, but another delivery of it may still be under way. */
  isTold: boolean;
  /** Who claimed it first. */
  claim: Claim | undefined;
  /** When it counts as overdue, by queue_notice; Infinity: never, or it has been told. */
  overdueMs: number;
  isOverdue: boolean;
  /** The task could not be written for long: this timer asks again. */
  deferred: LiveTimer | undefined;
}

export interface Claim {
  readonly sidecarId: string;
  readonly delivery: number;
}

/** A timer that is out. */
export interface LiveTimer {
  readonly number: number;
  readonly dueMs: number;
  readonly purpose: TimerPurpose;
  /** Open until it fires or is cancelled. */
  arm: ArmTimer;
}

export type TimerPurpose =
  | { readonly kind: "backoff"; readonly step: LiveStep }
  | { readonly kind: "wait"; readonly step: LiveStep }
  /** A loop's pause between passes. */
  | { readonly kind: "pass"; readonly step: LiveStep }
  /** A signal or a decision is awaited no longer. */
  | { readonly kind: "due"; readonly step: LiveStep }
  | { readonly kind: "stepDeadline"; readonly step: LiveStep }
  | { readonly kind: "runDeadline" }
  | { readonly kind: "overdue" }
  /** The run goes on after a turn that was long enough. */
  | { readonly kind: "rest" }
  | { readonly kind: "reissue"; readonly attempt: LiveAttempt }
  /** A reissue of what an operator holds back; it may fire early, when the hold ends. */
  | { readonly kind: "held"; readonly attempt: LiveAttempt };

/** A place for what is left to undo, inside another one. */
export function openUndoScope(parent: UndoScope | undefined, step: string, isTry: boolean): UndoScope {
  const scope: UndoScope = {
    parent,
    isTry,
    steps: [],
    step,
    open: new Map(),
    state: "open",
    attempts: 0,
    waiting: new Set(),
  };
  parent?.open.set(step, scope);
  return scope;
}
