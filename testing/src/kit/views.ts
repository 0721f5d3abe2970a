import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { CallPurpose } from "../world/call.ts";
import { failureCodes } from "./answers.ts";
import type { Json, JsonMessage } from "./plain.ts";

/** How a run stands; all from COMPLETED on are ends. PAUSED: a step needs a decision. */
export const runStates = [
  "RUNNING",
  "PAUSED",
  "COMPENSATING",
  "COMPLETED",
  "FAILED",
  "COMPENSATED",
  "COMPENSATION_FAILED",
  "CANCELLED",
  "TERMINATED",
] as const;
export type RunStateName = (typeof runStates)[number];

/** How a step stands. */
export const stepStates = [
  "RUNNING",
  "BACKING_OFF",
  "WAITING",
  "COMPLETED",
  "FAILED",
  "SKIPPED",
  "PAUSED",
  "CANCELLED",
  "QUEUED",
] as const;
export type StepStateName = (typeof stepStates)[number];

/** What a status can be. */
export const statusCodes = ["OK", ...failureCodes] as const;

/** A failure. */
export interface StatusView {
  readonly code: (typeof statusCodes)[number];
  readonly message: string;
  /** As protobuf JSON, with "@type". */
  readonly details: readonly Json[];
}

/** A step of a run, or the compensation of one. */
export interface StepView {
  /** "labels[3]/label"; a step without an id is known by its place: "step[2]". */
  readonly path: string;
  /** "call", "switch", "wait" … */
  readonly kind: string;
  readonly state: StepStateName;
  /** Attempts so far; 0 for kinds that make none. */
  readonly attempts: number;
  /** It is the compensation of the step at the path. */
  readonly isUndo: boolean;
  /** Undefined: it has none, or none yet. */
  readonly result: Json | undefined;
  /** The last failure of an attempt; stays when a later one succeeds. */
  readonly error: StatusView | undefined;
  /** A call may have been carried out although no success is known. */
  readonly maybeExecuted: boolean;
  readonly startedAt: Date;
  readonly endedAt: Date | undefined;
}

/** An event of a run's history, as `sidestep run history` shows it. */
export interface EventView {
  /** "RUN_STARTED", "STEP_COMPLETED", "ATTEMPT_FAILED", "TIMER_FIRED" … */
  readonly kind: string;
  readonly step: string;
  readonly isUndo: boolean;
  readonly attempt: number;
  readonly status: StatusView | undefined;
  /** The request, result or response that it brought. */
  readonly payload: Json | undefined;
  readonly text: string;
  readonly actor: string;
  /** It came too late or twice, and changed nothing. */
  readonly isIgnored: boolean;
  /** Virtual time since the run's start, in milliseconds. */
  readonly afterMs: number;
}

/** A call that a fake got. */
export interface CallView {
  readonly method: string;
  /** As protobuf JSON, with all fields that have no presence. */
  readonly request: JsonMessage;
  /** The request in the type of a protobuf-es schema. */
  requestAs<Desc extends DescMessage>(schema: Desc): MessageShape<Desc>;
  readonly runId: string;
  readonly step: string;
  readonly purpose: CallPurpose;
  readonly attempt: number;
  readonly idempotencyKey: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly at: Date;
}

/** A message that an emit step has sent. */
export interface EmittedView {
  readonly subject: string;
  /** Full name of the message's type. */
  readonly type: string;
  readonly message: JsonMessage;
  readonly runId: string;
  readonly step: string;
  readonly at: Date;
}
