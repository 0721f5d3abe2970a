import type { RunEnded } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { code } from "../../../proto/wire/status.ts";
import type { Failure } from "./failure.ts";

/** How a run's end answers its caller: the response's bytes, or a failure with code, message and details of the failing step. */
export type RunAnswer =
  | { readonly kind: "response"; readonly bytes: Uint8Array }
  | { readonly kind: "failure"; readonly failure: Failure };

/** docs/guarantees.md: what callers get. ErrorInfo's reason is the end state. */
export function toAnswer(runId: string, ended: RunEnded): RunAnswer {
  switch (ended.state) {
    case Run_State.COMPLETED:
      return { kind: "response", bytes: ended.response };
    case Run_State.FAILED:
      return failed(runId, ended, "FAILED", ended.status?.code ?? code.UNKNOWN, "the run failed");
    case Run_State.COMPENSATED:
      return failed(runId, ended, "COMPENSATED", ended.status?.code ?? code.UNKNOWN, "the run failed and was undone");
    case Run_State.COMPENSATION_FAILED:
      return failed(
        runId,
        ended,
        "COMPENSATION_FAILED",
        ended.status?.code ?? code.UNKNOWN,
        "the run failed and could not be undone",
      );
    case Run_State.CANCELLED:
      return failed(runId, ended, "CANCELLED", code.CANCELLED, "the run was cancelled");
    case Run_State.TERMINATED:
      return failed(runId, ended, "TERMINATED", code.ABORTED, "the run was terminated");
    case Run_State.STATE_UNSPECIFIED:
    case Run_State.RUNNING:
    case Run_State.PAUSED:
    case Run_State.COMPENSATING:
    case Run_State.CORRUPT:
    case Run_State.UNRECOGNIZED:
      return failed(
        runId,
        ended,
        "UNKNOWN_END",
        code.INTERNAL,
        `the run ended in a state that is no end (${ended.state})`,
      );
  }
}

function failed(runId: string, ended: RunEnded, reason: string, number: number, fallback: string): RunAnswer {
  const metadata = { run_id: runId, ...(ended.step === "" ? {} : { step: ended.step }) };
  const message = ended.status?.message ?? "";
  return {
    kind: "failure",
    failure: {
      code: number === code.OK ? code.UNKNOWN : number,
      message: message === "" ? fallback : message,
      reason,
      metadata,
      details: ended.status?.details ?? [],
    },
  };
}
