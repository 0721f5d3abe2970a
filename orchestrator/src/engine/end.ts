import type { RunEnded } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Plan } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { RunState, Verdict } from "./state.ts";

/**
 * How the run ends, by its verdict and what came of undoing it. The status is the failing step's, unchanged; the front door adds the
 * ErrorInfo with the end state.
 */
export function toRunEnded(state: RunState, verdict: Verdict, { keptMs }: Pick<Plan, "keptMs">): RunEnded {
  const kept = { retentionMs: keptMs };
  if (verdict.kind === "completed") {
    return {
      state: Run_State.COMPLETED,
      response: verdict.response,
      status: undefined,
      step: "",
      responsePayload: verdict.payload,
      ...kept,
    };
  }
  const { status, step } = verdict.failure;
  return {
    state: endOf(state, verdict),
    response: new Uint8Array(),
    status,
    step,
    responsePayload: undefined,
    ...kept,
  };
}

function endOf(state: RunState, verdict: Exclude<Verdict, { readonly kind: "completed" }>): Run_State {
  if (verdict.kind === "terminated") return Run_State.TERMINATED;
  if (state.compensationFailed) return Run_State.COMPENSATION_FAILED;
  if (verdict.kind === "cancelled") return Run_State.CANCELLED;
  return state.compensated > 0 ? Run_State.COMPENSATED : Run_State.FAILED;
}
