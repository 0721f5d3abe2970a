import type {
  AttemptId,
  AttemptId_Phase,
  PayloadRef,
  RunEnded,
  RunStarted,
} from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import type { Incident_Reason } from "../../../proto/gen/sidestep/v1/run.ts";
import type { ArmTimer, CallHeader, CancelTimer, CloseAttempt, EndRun, PublishTask } from "./command.ts";
import type { KeptValue } from "./expression/result.ts";
import type { BlockPlan, CallPlan, StepPlan } from "./plan.ts";
import type { Yields } from "./yields.ts";

/**
 * What a run's log adds up to. Changed in place by the engine, which has one owner, the run's mailbox; everybody else reads. Nothing in it
 * is ever copied whole: a turn costs time in proportion to what it changes. What it has, a snapshot has: snapshot.proto and the folder
 * snapshot/ grow with it, and don't compile until they do.
 */
export interface RunState {
  readonly runId: string;
  /** Position of the last record folded; 0: none. */
  lastSequence: number;
  /** Position of the last `.e` record folded: what RunEnded expects. */
  lastEvent: number;
  /** Log time: never goes back. */
  nowMs: number;
  phase: RunPhase;
  started: RunStarted | undefined;
  startedMs: number;
  /** When the run's timeout is over; undefined: it has none. */
  deadlineMs: number | undefined;
  deadlineTimer: LiveTimer | undefined;
  ended: RunEnded | undefined;
  endedMs: number;
  /** How the run will end, once it is known. */
  verdict: Verdict | undefined;
  /** The append that is to end it; open until RunEnded or another event comes. */
  ending: EndRun | undefined;

  /** The workflow's own block. */
  body: Frame | undefined;
  bodyFailure: Failure | undefined;
  /** All steps that have begun or been skipped, by path, in the order in which they began. */
  readonly steps: Map<string, LiveStep>;
  /** Compensations, by the path of the step that each undoes, in the order in which they began. */
  readonly compensations: Map<string, LiveStep>;
  /** What is left to undo: ended steps with a compensation, in the order in which they ended. */
  readonly undo: LiveStep[];
  /** Compensations not over yet. */
  compensating: number;
  /** Compensating calls asked for. */
  compensated: number;
  compensationFailed: boolean;

  /** Attempts that may be under way, by attemptName. */
  readonly attempts: Map<string, LiveAttempt>;
  /** Those of forward steps. */
  forwardAttempts: number;
  /** Timers that are out, by number. */
  readonly timers: Map<number, LiveTimer>;
  /** Number of the last timer; numbers are not reused. */
  lastTimer: number;
  /** Cancellations of timers that have not fired since, oldest first; bounded, for a lost one only fires in vain. */
  readonly cancelledTimers: Map<number, CancelTimer>;
  /** The one timer that looks after overdue attempts. */
  overdueTimer: LiveTimer | undefined;
  readonly incidents: Set<LiveStep>;
  /** Ids of the requests that have left incidents, oldest first; bounded. The same request again leaves no other. */
  readonly requests: Set<string>;
  /** What `yield` steps have built; bounded by the run's limits. */
  readonly yields: Yields;
  /** Calls and waits that are open; bounded by the run's limits. */
  pendingSteps: number;

  /** What the turn at hand still has to move on; empty between turns. */
  readonly worklist: (Frame | LiveStep)[];
}

/**
 *     unstarted ─▶ forward ─▶ stopping ─▶ compensating ─▶ ending ─▶ ended
 *         └▶ void     └───────────┴───(nothing to undo)──────▲
 *
 * An operator's Terminate goes to ending from anywhere.
 */
export type RunPhase =
  /** No RunStarted yet. */
  | "unstarted"
  /** RunStarted came too late: the caller has been told that there is no run. */
  | "void"
  | "forward"
  /** The verdict is known; what is in flight is awaited. */
  | "stopping"
  | "compensating"
  /** RunEnded has been asked for. */
  | "ending"
  | "ended";

export type Verdict =
  | { readonly kind: "completed"; readonly response: Uint8Array; readonly payload: PayloadRef | undefined }
  | { readonly kind: "failed"; readonly failure: Failure }
  | { readonly kind: "cancelled"; readonly failure: Failure }
  | { readonly kind: "terminated"; readonly failure: Failure };

/** Why a step or a run fails. */
export interface Failure {
  readonly status: RpcStatus;
  /** Path of the step; empty: the run itself. */
  readonly step: string;
}

/** One pass over a block: the body, an arm, a branch, later an iteration. Its steps go one after the other. */
export interface Frame {
  readonly kind: "frame";
  readonly block: BlockPlan;
  /** The step whose block it is; undefined: the body. */
  readonly owner: LiveStep | undefined;
  /** Which of the owner's frames. */
  readonly slot: number;
  readonly scope: Scope;
  /** Index of the next step to begin. */
  position: number;
  /** The step that is open. */
  current: LiveStep | undefined;
  state: FrameState;
  result: KeptValue | undefined;
}

export type FrameState =
  | "going"
  /** Begins nothing more; its open step is awaited. */
  | "stopping"
  | "done"
  | "failed"
  | "stopped";

/** What expressions of a block see: its own iteration's values, then those around it. Blocks that are not iterated share one. */
export interface Scope {
  readonly parent: Scope | undefined;
  /** Before the names of its steps in paths: "labels[3]/". */
  readonly prefix: string;
  /** Loop variables. */
  readonly variables: Map<string, Uint8Array>;
  /** Steps with an id that have begun, by id. */
  readonly steps: Map<string, LiveStep>;
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
  /** Set for calls and compensations. */
  readonly call: LiveCall | undefined;
  /** Set for steps with blocks. */
  readonly inner: Inner | undefined;
}

/** Kind of a step's state; every kind meets every event (stateTable.test.ts). */
export type StepStateKind = StepState["kind"];

export type StepState =
  /** On the worklist: its next attempt is to be asked for. Never between turns. */
  | { readonly kind: "ready" }
  /** A task is out. */
  | { readonly kind: "running"; readonly attempt: LiveAttempt }
  /** Its last attempt is wanted no more; its outcome or its end is awaited. */
  | { readonly kind: "closing"; readonly attempt: LiveAttempt; readonly reason: "stop" | "timeout" }
  /** A timer is out, then the next attempt. */
  | { readonly kind: "backingOff"; readonly timer: LiveTimer }
  /** A wait step: its timer is out. */
  | { readonly kind: "waiting"; readonly timer: LiveTimer }
  /** Its blocks run. */
  | { readonly kind: "inside" }
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
  readonly frames: Frame[];
  /** Frames that are not over. */
  open: number;
  /** The first failure among them. */
  failure: Failure | undefined;
  /** They are being given up. */
  isStopping: boolean;
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
  | { readonly kind: "stepDeadline"; readonly step: LiveStep }
  | { readonly kind: "runDeadline" }
  | { readonly kind: "overdue" }
  | { readonly kind: "reissue"; readonly attempt: LiveAttempt };

/** A run of which nothing is known yet. */
export function newRun(runId: string): RunState {
  return {
    runId,
    lastSequence: 0,
    lastEvent: 0,
    nowMs: 0,
    phase: "unstarted",
    started: undefined,
    startedMs: 0,
    deadlineMs: undefined,
    deadlineTimer: undefined,
    ended: undefined,
    endedMs: 0,
    verdict: undefined,
    ending: undefined,
    body: undefined,
    bodyFailure: undefined,
    steps: new Map(),
    compensations: new Map(),
    undo: [],
    compensating: 0,
    compensated: 0,
    compensationFailed: false,
    attempts: new Map(),
    forwardAttempts: 0,
    timers: new Map(),
    lastTimer: 0,
    cancelledTimers: new Map(),
    overdueTimer: undefined,
    incidents: new Set(),
    requests: new Set(),
    yields: { first: 0, messages: [] },
    pendingSteps: 0,
    worklist: [],
  };
}

/** Key of an attempt within its run. */
export function attemptName(id: AttemptId): string {
  return `${id.step}/${id.generation}/${id.phase}/${id.attempt}`;
}
