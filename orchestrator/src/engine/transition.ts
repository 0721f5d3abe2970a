import type { AttemptId, AttemptId_Phase, RunEnded } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Incident_Reason } from "../../../proto/gen/sidestep/v1/run.ts";
import type { RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import type { Sidecar } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { StepPlan } from "./plan.ts";

/** One step of a run in one generation and phase: an attempt id without attempt. */
export interface StepAddress {
  /** Step path: "labels[3]/label". */
  readonly step: string;
  readonly generation: number;
  readonly phase: AttemptId_Phase;
}

/**
 * What became of a run in one turn, in the order in which it happened: the source of its spans and of the text of its history. Times are
 * log time unless said otherwise.
 */
export type Transition =
  | { readonly kind: "runStarted"; readonly atMs: number }
  | StepBegan
  | AttemptBegan
  | AttemptEnded
  | BackoffBegan
  | StepEnded
  | IncidentOpened
  /** Left by a request, by a late success, or because the run stops. */
  | { readonly kind: "incidentClosed"; readonly address: StepAddress; readonly atMs: number }
  /** No outcome came within queue_notice and the attempt's own time: probably no sidecar takes the task. */
  | { readonly kind: "attemptOverdue"; readonly attempt: AttemptId; readonly method: string; readonly atMs: number }
  | { readonly kind: "compensationBegan"; readonly steps: number; readonly atMs: number }
  | Yielded
  | RunEndedTransition;

/** A step began: its `when` was true, or it has none. */
export interface StepBegan {
  readonly kind: "stepBegan";
  readonly address: StepAddress;
  readonly plan: StepPlan;
  /** The step whose block it stands in; undefined: the workflow's own. */
  readonly parent: StepAddress | undefined;
  readonly atMs: number;
}

/** A task was asked for. */
export interface AttemptBegan {
  readonly kind: "attemptBegan";
  readonly attempt: AttemptId;
  readonly method: string;
  readonly atMs: number;
}

/** An outcome came, or none can come any more. */
export interface AttemptEnded {
  readonly kind: "attemptEnded";
  readonly attempt: AttemptId;
  readonly method: string;
  /** When the attempt's task was asked for. */
  readonly issuedMs: number;
  /** Clock of the sidecar; without an outcome issuedMs and the time of AttemptExpired. */
  readonly startedMs: number;
  readonly endedMs: number;
  readonly result: "completed" | "failed" | "inDoubt" | "expired";
  /** Undefined when it completed. Details as the service sent them. */
  readonly status: RpcStatus | undefined;
  /** Empty: not known. */
  readonly peer: string;
  readonly sidecar: Sidecar | undefined;
  /** Delivery count of the task; 0: no outcome. */
  readonly delivery: number;
  /** Bytes of the request may have left. */
  readonly sent: boolean;
  /** It moved the run on; false: it came late, beside another attempt's success. */
  readonly counted: boolean;
}

/** The next attempt waits. */
export interface BackoffBegan {
  readonly kind: "backoffBegan";
  readonly address: StepAddress;
  /** The attempt that failed. */
  readonly attempt: number;
  readonly atMs: number;
  readonly dueMs: number;
}

/** A step is over. */
export interface StepEnded {
  readonly kind: "stepEnded";
  readonly address: StepAddress;
  readonly plan: StepPlan;
  readonly parent: StepAddress | undefined;
  /** Equals endedMs when skipped. */
  readonly startedMs: number;
  readonly endedMs: number;
  readonly result: "completed" | "failed" | "skipped" | "cancelled";
  readonly attempts: number;
  /** Set when it failed. */
  readonly status: RpcStatus | undefined;
  /** A call may have been carried out although no success is known. */
  readonly maybeExecuted: boolean;
}

/** A step waits for a person. */
export interface IncidentOpened {
  readonly kind: "incidentOpened";
  readonly address: StepAddress;
  readonly reason: Incident_Reason;
  readonly status: RpcStatus;
  readonly attempts: number;
  readonly atMs: number;
}

/** One more message for the callers of a streaming workflow. */
export interface Yielded {
  readonly kind: "yielded";
  /** Path of the step; empty: the response, which comes last. */
  readonly step: string;
  /** Counts from 0 over the run. */
  readonly number: number;
  readonly message: Uint8Array;
  readonly atMs: number;
}

export interface RunEndedTransition {
  readonly kind: "runEnded";
  readonly ended: RunEnded;
  readonly startedMs: number;
  readonly endedMs: number;
}
