import { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import type { Run } from "../../proto/gen/sidestep/v1/run.ts";
import { codeName } from "../../proto/wire/status.ts";
import { CliFailure, exit } from "./failure.ts";

/** Why a run that has ended did not complete; undefined when it did. */
export function endFailure(run: Run): CliFailure | undefined {
  const said = run.status === undefined ? "" : `: ${run.status.message} (${codeName(run.status.code)})`;
  const where = `run ${run.runId} of ${run.workflow}`;
  const next = `\`sidestep run describe ${run.runId}\` shows its steps`;
  switch (run.state) {
    case Run_State.COMPLETED:
      return undefined;
    case Run_State.FAILED:
      return new CliFailure(exit.runFailed, `the run failed${said}`, where, next);
    case Run_State.COMPENSATED:
      return new CliFailure(exit.runFailed, `the run failed, and what was done was undone${said}`, where, next);
    case Run_State.COMPENSATION_FAILED:
      return new CliFailure(exit.runFailed, `the run failed, and not all could be undone${said}`, where, next);
    case Run_State.CANCELLED:
      return new CliFailure(exit.runStopped, `the run was cancelled${said}`, where, next);
    case Run_State.TERMINATED:
      return new CliFailure(exit.runStopped, `the run was terminated${said}`, where, next);
    case Run_State.STATE_UNSPECIFIED:
    case Run_State.RUNNING:
    case Run_State.PAUSED:
    case Run_State.COMPENSATING:
    case Run_State.CORRUPT:
    case Run_State.UNRECOGNIZED:
      return new CliFailure(exit.error, "the run ended in a state that this version does not know", where, next);
  }
}
