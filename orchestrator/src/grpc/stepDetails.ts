import type { DescribeStepRequest, DescribeStepResponse } from "../../../proto/gen/sidestep/v1/runs.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import type { LogRecord } from "../engine/record.ts";
import type { Front } from "../processor/front.ts";
import { absenceFailure } from "./failure.ts";
import { tooLong } from "./lengths.ts";
import { done, failed } from "./unary.ts";
import type { Answered } from "./unary.ts";

/** What a step sent, got and computed, from the run's records; undefined: no such step has begun. */
export type ShowStep = (
  runId: RunId,
  plan: LoadedPlan,
  records: readonly LogRecord[],
  wanted: { readonly step: string; readonly isCompensation: boolean },
) => DescribeStepResponse | undefined;

/** What one step sent, got and computed, from the run's records. */
export async function describeStep(
  runId: RunId,
  { step, compensation }: DescribeStepRequest,
  { front, showStep }: { readonly front: Front; readonly showStep: ShowStep },
): Promise<Answered<DescribeStepResponse>> {
  const long = tooLong({ "step path": step });
  if (long !== undefined) return failed(long);
  const got = await front.records(runId);
  if (got.kind !== "records") return failed(absenceFailure(runId, got));
  const found = showStep(runId, got.plan, got.records, { step, isCompensation: compensation });
  if (found !== undefined) return done(found);
  return failed({
    code: code.NOT_FOUND,
    message: `no step ${JSON.stringify(step)} ${compensation ? "is being undone" : "has begun"} in run ${runId}`,
    reason: "STEP_NOT_FOUND",
    metadata: { run_id: runId, step },
  });
}
