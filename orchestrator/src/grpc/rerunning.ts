import type { RerunRunRequest, RerunRunResponse } from "../../../proto/gen/sidestep/v1/runs.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import { growingPause, pause } from "../../../runtime/src/pause.ts";
import type { Front } from "../processor/front.ts";
import { absenceFailure } from "./failure.ts";
import { withFitting } from "./fitting.ts";
import { tooLong } from "./lengths.ts";
import { alreadyRerun, cannotRerun, notEnded } from "./runFailure.ts";
import { steer } from "./steering.ts";
import { done, failed } from "./unary.ts";
import type { Answered } from "./unary.ts";

const startedWithinMs = 10_000;

/** Has a run go on in place of one that has ended, and answers once it has started. */
export async function rerun(
  runId: RunId,
  { step, reason }: RerunRunRequest,
  { requestId, actor }: { readonly requestId: string; readonly actor: string },
  { front }: { readonly front: Front },
): Promise<Answered<RerunRunResponse>> {
  const long = tooLong({ "step path": step, reason, key: requestId });
  if (long !== undefined) return failed(long);
  const place = await front.rerunPlace(runId, step);
  if (place.kind === "unknown" || place.kind === "unavailable") return failed(absenceFailure(runId, place));
  // A request that was taken before is answered as it was then.
  if (place.kind === "refused" && place.reason === "CANNOT_RERUN") return refused(front, runId, place.message);
  if (place.kind === "live") return failed(notEnded(runId));
  const asked = await steer(runId, { kind: "rerun", event: { step, reason, actor, requestId } }, { front });
  if (asked.kind === "failure") return asked;
  return answerOf(front, runId);
}

async function refused(front: Front, runId: RunId, message: string): Promise<Answered<never>> {
  const got = await front.get(runId);
  const failure = cannotRerun(runId, message);
  return failed(got.kind === "run" ? withFitting(failure, got.run) : failure);
}

/** The run that goes on, once its start is durable: the owner of the old one writes it. */
async function answerOf(front: Front, runId: RunId): Promise<Answered<RerunRunResponse>> {
  const got = await front.get(runId);
  if (got.kind !== "run") return failed(absenceFailure(runId, got));
  const next = parseRunId(got.run.rerunAsRunId);
  if (next === undefined) return failed(alreadyRerun(runId, ""));
  const signal = AbortSignal.timeout(startedWithinMs);
  const nextPauseMs = growingPause(10, 500);
  for (;;) {
    const found = await front.planOf(next, () => true);
    if (found.kind === "plan") return done({ runId: next });
    if (signal.aborted || found.kind === "unavailable")
      return failed(absenceFailure(next, { kind: "unavailable", message: `the run ${next} is being started` }));
    await pause(nextPauseMs(), signal);
  }
}
