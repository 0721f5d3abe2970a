import type { RunId } from "../../../proto/wire/runId.ts";
import type { RunState } from "../engine/state.ts";
import { traceIdOf } from "../projection/traceId.ts";

/** What a line of the log says of a run: always the same names, so that all lines about it are found. */
export interface AboutRun {
  readonly runId: string;
  /** Left out while its start is not known. */
  readonly workflow?: string;
  readonly traceId?: string;
  /** Where the line is about a step, or one attempt of it. */
  readonly step?: string;
  readonly attempt?: number;
}

/** The run in a line of the log. */
export function aboutRun(
  { runId, state }: { readonly runId: RunId; readonly state?: RunState | undefined },
  at: { readonly step?: string; readonly attempt?: number } = {},
): AboutRun {
  const { step, attempt } = at;
  const started = state?.started;
  return {
    runId,
    ...(started === undefined ? {} : { workflow: started.workflow, traceId: traceIdOf({ runId, started }) }),
    ...(step === undefined ? {} : { step }),
    ...(attempt === undefined ? {} : { attempt }),
  };
}
