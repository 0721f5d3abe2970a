import type { RunEnded } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { toErrorInfo } from "./failure.ts";
import type { RunState, Verdict } from "./state.ts";

/** How the run ends, by its verdict and what came of undoing it. */
export function toRunEnded(state: RunState, verdict: Verdict): RunEnded {
  if (verdict.kind === "completed") {
    return { state: Run_State.COMPLETED, response: verdict.response, status: undefined, step: "" };
  }
  const end = endOf(state, verdict);
  const { status, step } = verdict.failure;
  return { state: end.state, response: new Uint8Array(), status: withEnd(state, status, step, end.reason), step };
}

interface End {
  readonly state: Run_State;
  /** `reason` of the ErrorInfo that every caller of a run that did not complete gets. */
  readonly reason: string;
}

function endOf(state: RunState, verdict: Exclude<Verdict, { readonly kind: "completed" }>): End {
  if (verdict.kind === "terminated") return { state: Run_State.TERMINATED, reason: "TERMINATED" };
  if (state.compensationFailed) return { state: Run_State.COMPENSATION_FAILED, reason: "COMPENSATION_FAILED" };
  if (verdict.kind === "cancelled") return { state: Run_State.CANCELLED, reason: "CANCELLED" };
  if (state.compensated > 0) return { state: Run_State.COMPENSATED, reason: "COMPENSATED" };
  return { state: Run_State.FAILED, reason: "FAILED" };
}

function withEnd(state: RunState, status: RpcStatus, step: string, reason: string): RpcStatus {
  const details = [...status.details, toErrorInfo(state.runId, step, reason)];
  return { code: status.code, message: status.message, details };
}
