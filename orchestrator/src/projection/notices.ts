import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RunEnded } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Incident_Reason, Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { RunState } from "../engine/state.ts";
import type { IncidentOpened, Transition } from "../engine/transition.ts";
import { traceIdOf } from "./traceId.ts";

/** What people are told about at once: a step that waits for them, or a run that failed. */
export interface Notice {
  /** The same whenever it is told again. */
  readonly id: string;
  readonly name: "incident" | "run failed";
  readonly atMs: number;
  readonly runId: string;
  readonly traceId: string;
  readonly workflow: string;
  readonly version: number;
  readonly key: string;
  /** Path of the step that waits or failed; empty: the run's own failure. */
  readonly step: string;
  /** The step that waits undoes something. */
  readonly compensation: boolean;
  /** The attempt that failed last; 0: not one. */
  readonly attempt: number;
  /** Why the step waits; unspecified for a run that failed. */
  readonly reason: Incident_Reason;
  /** FAILED, COMPENSATED or COMPENSATION_FAILED for a run that failed, PAUSED for an incident. */
  readonly state: Run_State;
  /** Number of a status code, and what it says. */
  readonly code: number;
  readonly message: string;
}

const failedStates: ReadonlySet<Run_State> = new Set([
  Run_State.FAILED,
  Run_State.COMPENSATED,
  Run_State.COMPENSATION_FAILED,
]);

/** What people are told of a turn, in order. */
export function noticesOfTurn(
  state: RunState,
  sequence: number,
  transitions: readonly Transition[],
): readonly Notice[] {
  const notices: Notice[] = [];
  for (const transition of transitions) {
    if (transition.kind === "incidentOpened") notices.push(ofIncident(state, transition, idOf(notices.length)));
    else if (transition.kind === "runEnded" && failedStates.has(transition.ended.state))
      notices.push(ofEnd(state, transition.ended, transition.endedMs, idOf(notices.length)));
  }
  return notices;

  function idOf(number: number): string {
    return `${state.runId}-${sequence}-${number}`;
  }
}

function ofIncident(state: RunState, { address, reason, status, attempts, atMs }: IncidentOpened, id: string): Notice {
  return {
    ...aboutRun(state),
    id,
    name: "incident",
    atMs,
    step: address.step,
    compensation: address.phase === Phase.COMPENSATE,
    attempt: attempts,
    reason,
    state: Run_State.PAUSED,
    code: status.code,
    message: status.message,
  };
}

function ofEnd(state: RunState, ended: RunEnded, atMs: number, id: string): Notice {
  return {
    ...aboutRun(state),
    id,
    name: "run failed",
    atMs,
    step: ended.step,
    compensation: false,
    attempt: 0,
    reason: Incident_Reason.REASON_UNSPECIFIED,
    state: ended.state,
    code: ended.status?.code ?? 0,
    message: ended.status?.message ?? "",
  };
}

function aboutRun(state: RunState): Pick<Notice, "runId" | "traceId" | "workflow" | "version" | "key"> {
  const { workflow = "", version = 0, key = "" } = state.started ?? {};
  return { runId: state.runId, traceId: traceIdOf(state), workflow, version, key };
}
