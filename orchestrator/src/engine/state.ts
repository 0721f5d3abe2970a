import type { AttemptId, PayloadRef, RunEnded, RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { CancelTimer, DeleteRun, EndRun, StartRerun, TellParent } from "./command.ts";
import type { Failure, Frame, LiveAttempt, LiveStep, LiveTimer, Undoing, UndoScope } from "./live.ts";
import { openUndoScope } from "./live.ts";
import type { KeptSignal } from "./outside.ts";
import { toYields } from "./yields.ts";
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
  /** What the parent is told, once the run has ended. */
  telling: TellParent | undefined;
  /** Somebody has asked for the ended run to be deleted: nobody is shown it any more. */
  deleting: DeleteRun | undefined;
  /** Another run goes on in place of this one, which has ended. */
  rerun: StartRerun | undefined;
  /** The append that is to end it; open until RunEnded or another event comes. */
  ending: EndRun | undefined;

  /** The workflow's own block. */
  body: Frame | undefined;
  bodyFailure: Failure | undefined;
  /** All steps that have begun or been skipped, by path, in the order in which they began. */
  readonly steps: Map<string, LiveStep>;
  /** Compensations, by the path of the step that each undoes, in the order in which they began. */
  readonly compensations: Map<string, LiveStep>;
  /** What is left to undo of the whole run. */
  readonly undo: UndoScope;
  /** Steps that have ever been noted for undoing. */
  undoNoted: number;
  /** The undoing at the run's end. */
  undoing: Undoing | undefined;
  /** Compensations that have begun. */
  compensated: number;
  compensationFailed: boolean;

  /** Attempts that may be under way, by attemptName. */
  readonly attempts: Map<string, LiveAttempt>;
  /** Those of forward steps, and of what verifies them. */
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

  /** Signals that no step has taken, in the order in which they came; bounded by the run's limits. */
  readonly signals: KeptSignal[];
  /** Ids of the signals that came, oldest first; bounded. */
  readonly signalIds: Set<string>;
  /** Steps that wait for a signal, by its name, in the order in which they began to. */
  readonly listeners: Map<string, Set<LiveStep>>;
  /** Steps that wait for a decision. */
  readonly approvals: Set<LiveStep>;
  /** Steps whose child or message is awaited. */
  readonly awaiting: Set<LiveStep>;
  /** Steps that have asked for a lock and not given it back. */
  readonly locks: Set<LiveStep>;
  /** The latest verification of a step's call, or of its compensation's, by the step's path. */
  readonly verifications: Map<string, LiveStep>;
  /** Nothing new begins; undefined: the run is not held. */
  hold: RunHold | undefined;
  /** What would have gone on, had the run not been held. */
  readonly parked: Set<Frame | LiveStep>;

  /** What the turn at hand still has to move on; empty between turns. */
  readonly worklist: (Frame | LiveStep)[];
}

/** Who has paused a run, and why. */
export interface RunHold {
  readonly reason: string;
  /** Empty: not known. */
  readonly actor: string;
  readonly sinceMs: number;
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
  | {
      readonly kind: "completed";
      readonly response: Uint8Array;
      readonly payload: PayloadRef | undefined;
      /** The response is the last message of a streaming workflow. */
      readonly isLastMessage: boolean;
    }
  | { readonly kind: "failed"; readonly failure: Failure }
  | { readonly kind: "cancelled"; readonly failure: Failure }
  | { readonly kind: "terminated"; readonly failure: Failure };

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
    telling: undefined,
    deleting: undefined,
    rerun: undefined,
    ending: undefined,
    body: undefined,
    bodyFailure: undefined,
    steps: new Map(),
    compensations: new Map(),
    undo: openUndoScope(undefined, "", true),
    undoNoted: 0,
    undoing: undefined,
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
    yields: toYields(0, []),
    pendingSteps: 0,
    signals: [],
    signalIds: new Set(),
    listeners: new Map(),
    approvals: new Set(),
    awaiting: new Set(),
    locks: new Set(),
    verifications: new Map(),
    hold: undefined,
    parked: new Set(),
    worklist: [],
  };
}

/** Key of an attempt within its run. */
export function attemptName(id: AttemptId): string {
  return `${id.step}/${id.generation}/${id.phase}/${id.attempt}`;
}

/** The step at a path, of the workflow or of a block that undoes. */
export function stepAt({ steps, compensations }: RunState, path: string): LiveStep | undefined {
  return steps.get(path) ?? compensations.get(path);
}
