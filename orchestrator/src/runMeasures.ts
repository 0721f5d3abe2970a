import { incident_ReasonToJSON, run_StateToJSON } from "../../proto/gen/sidestep/v1/run.ts";
import { boundedLabel } from "../../runtime/src/boundedLabel.ts";
import type { Instruments } from "../../runtime/src/metrics.ts";
import type { Transition } from "./engine/transition.ts";
import type { RunState } from "./engine/state.ts";
import { unobserved } from "./processor/spanObserver.ts";
import type { TurnObserver } from "./processor/ports.ts";
import { isSampled } from "./projection/spans.ts";
import { traceIdOf } from "./projection/traceId.ts";

const runBoundaries = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 86_400];
const attemptBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** Counts and times what becomes of runs, from the turns of this orchestrator; what is told again after a crash is counted again. */
export function openRunMeasures({ counter: named, histogram }: Instruments): TurnObserver {
  const counter = (name: string, description: string) => named(`sidestep.orchestrator.${name}`, description);
  const measures = {
    started: counter("runs.started", "Runs started."),
    ended: counter("runs.ended", "Runs ended, by their state."),
    run: histogram("sidestep.orchestrator.run.duration.seconds", "From a run's start to its end.", runBoundaries),
    attempt: histogram(
      "sidestep.orchestrator.attempt.duration.seconds",
      "From asking for a call to its outcome, its time in the queue included.",
      attemptBoundaries,
    ),
    unsuccessful: counter("attempts.unsuccessful", "Attempts without a success: failed, inDoubt or expired."),
    retries: counter("retries", "Attempts after the first."),
    overdue: counter(
      "attempts.overdue",
      "Attempts of which nothing was heard for so long that probably nobody takes them.",
    ),
    incidents: counter("incidents", "Steps that began to wait for a person, by reason."),
    compensations: counter("compensations", "Runs that began to undo what was done."),
  };
  const bounded = { workflow: boundedLabel(), method: boundedLabel() };
  const tell = (transition: Transition, workflow: string, state: RunState): void => {
    switch (transition.kind) {
      case "runStarted":
        return measures.started.add(1, { workflow });
      case "runEnded": {
        const { startedMs, endedMs, ended } = transition;
        measures.ended.add(1, { workflow, state: run_StateToJSON(ended.state).toLowerCase() });
        return measures.run.record(seconds(startedMs, endedMs), { workflow }, traceOf(state));
      }
      case "attemptBegan":
        if (transition.attempt.attempt > 1) measures.retries.add(1, { rpc_method: bounded.method(transition.method) });
        return;
      case "attemptEnded": {
        const { method, issuedMs, endedMs, result } = transition;
        const rpcMethod = bounded.method(method);
        measures.attempt.record(seconds(issuedMs, endedMs), { rpc_method: rpcMethod }, traceOf(state));
        if (result !== "completed") measures.unsuccessful.add(1, { rpc_method: rpcMethod, result });
        return;
      }
      case "attemptOverdue":
        return measures.overdue.add(1, { rpc_method: bounded.method(transition.method) });
      case "incidentOpened":
        return measures.incidents.add(1, {
          workflow,
          reason: incident_ReasonToJSON(transition.reason).toLowerCase(),
        });
      case "compensationBegan":
        return measures.compensations.add(1, { workflow });
      case "stepBegan":
      case "stepEnded":
      case "backoffBegan":
      case "incidentClosed":
      case "yielded":
        return;
    }
  };
  return {
    ...unobserved,
    turn: ({ state }, _, { transitions }) => {
      if (transitions.length === 0 || state.started === undefined) return;
      const workflow = bounded.workflow(state.started.workflow);
      for (const transition of transitions) tell(transition, workflow, state);
    },
  };
}

/** The run's trace, when it is kept. */
function traceOf({ runId, started }: RunState): string | undefined {
  return isSampled(started) ? traceIdOf({ runId, started }) : undefined;
}

/** Clocks of sidecars may be ahead or behind. */
function seconds(fromMs: number, toMs: number): number {
  return Math.max(0, toMs - fromMs) / 1_000;
}
