import type { ArchivedRun } from "../../../proto/gen/sidestep/internal/v1/archive.ts";
import type { DescribeStepRequest, DescribeStepResponse } from "../../../proto/gen/sidestep/v1/runs.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import type { LogRecord } from "../engine/record.ts";
import type { Front } from "../processor/front.ts";
import { absenceFailure } from "./failure.ts";
import type { Failure } from "./failure.ts";
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

/** What it takes to describe a step. */
export interface StepGround {
  readonly front: Front;
  readonly showStep: ShowStep;
  /** A run that the log has no more, as it was archived. */
  readonly archived: (runId: RunId) => Promise<ArchivedRun | undefined>;
}

/** What one step sent, got and computed: from the run's records, or from the archive where the log has none. */
export async function describeStep(
  runId: RunId,
  { step, compensation }: DescribeStepRequest,
  { front, showStep, archived }: StepGround,
): Promise<Answered<DescribeStepResponse>> {
  const long = tooLong({ "step path": step });
  if (long !== undefined) return failed(long);
  const got = await front.records(runId);
  if (got.kind === "records") {
    const found = showStep(runId, got.plan, got.records, { step, isCompensation: compensation });
    return found === undefined ? failed(stepNotFound(runId, step, compensation)) : done(found);
  }
  const kept = got.kind === "unknown" ? await archived(runId) : undefined;
  return kept === undefined ? failed(absenceFailure(runId, got)) : describeArchived(runId, step, compensation, kept);
}

function describeArchived(
  runId: RunId,
  step: string,
  compensation: boolean,
  { run, steps }: ArchivedRun,
): Answered<DescribeStepResponse> {
  const found = steps.find((one) => one.step === step && one.compensation === compensation);
  if (found?.details !== undefined) return done(found.details);
  const hasBegun = run?.steps.some((one) => one.path === step && one.compensation === compensation) ?? false;
  if (!hasBegun) return failed(stepNotFound(runId, step, compensation));
  return failed({
    code: code.NOT_FOUND,
    message: `the log has run ${runId} no more, and its archive has no details of ${JSON.stringify(step)}; Runs.History has its events`,
    reason: "STEP_NOT_ARCHIVED",
    metadata: { run_id: runId, step },
  });
}

function stepNotFound(runId: RunId, step: string, compensation: boolean): Failure {
  return {
    code: code.NOT_FOUND,
    message: `no step ${JSON.stringify(step)} ${compensation ? "is being undone" : "has begun"} in run ${runId}`,
    reason: "STEP_NOT_FOUND",
    metadata: { run_id: runId, step },
  };
}
