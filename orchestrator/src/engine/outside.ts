import type { Decision } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { EmitMessage, RequestLock, StartChild, StepName, StopChild } from "./command.ts";

/** A signal that no step has taken yet. */
export interface KeptSignal {
  readonly name: string;
  readonly payload: Uint8Array;
}

/** What an approve step asks; evaluated when it begins. */
export interface OpenApproval {
  readonly title: string;
  readonly detail: string;
  /** Undefined: anybody may decide. */
  readonly approvers: readonly string[] | undefined;
  readonly sinceMs: number;
}

/** A step's lock, from when it asks for it until it gives it back. */
export interface LiveLock {
  readonly name: string;
  /** How the lock knows the step: its generation may grow while it holds it. */
  readonly at: StepName;
  /** Open until it is granted or given up. */
  request: RequestLock;
  isGranted: boolean;
}

/** What a step has asked of the world outside of its run, besides calls. */
export interface Outside {
  /** A `run` step's; open until the child has ended, or, detached, has been started. */
  child: StartChild | undefined;
  /** A child was asked for under this step's name: what its id is made of. */
  childAt: StepName | undefined;
  /** The child is wanted no more; open until it has ended. */
  stop: StopChild | undefined;
  /** An `emit` step's; open until it is stored. */
  emit: EmitMessage | undefined;
  lock: LiveLock | undefined;
  /** What came of an `approve` step. */
  decision: Decision | undefined;
}

/** Nothing has been asked for. */
export function makeOutside(): Outside {
  return {
    child: undefined,
    childAt: undefined,
    stop: undefined,
    emit: undefined,
    lock: undefined,
    decision: undefined,
  };
}
