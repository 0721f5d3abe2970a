import type { Run } from "../../../proto/gen/sidestep/v1/run.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { RunRequest } from "../processor/front.ts";
import { absenceFailure } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { withFitting } from "./fitting.ts";
import { noApproval, noIncident, notEnded, notPaused, refusedFailure, runEnded } from "./runFailure.ts";
import type { IngressOptions } from "./starting.ts";
import { done, failed } from "./unary.ts";
import type { Answered } from "./unary.ts";

const requestTimeoutMs = 10_000;

/** What a request came to that was not refused. */
export interface Steered {
  /** The run was as was asked for: somebody else's request changed it. */
  readonly already: boolean;
}

/** Makes a person's request durable, and answers when it has been folded, with what came of it. */
export async function steer(
  runId: RunId,
  request: RunRequest,
  { front }: Pick<IngressOptions, "front">,
): Promise<Answered<Steered>> {
  const result = await front.request(runId, request, AbortSignal.timeout(requestTimeoutMs));
  if (result.kind !== "done") return failed(absenceFailure(runId, result));
  if (!result.ignored || result.refusal === "DUPLICATE") return done({ already: false });
  const got = await front.get(runId);
  if (got.kind !== "run") return failed(absenceFailure(runId, got));
  const failure = misfitOf(runId, request, result.refusal, got.run);
  return failure === undefined ? done({ already: true }) : failed(withFitting(failure, got.run));
}

/** Why a request that changed nothing did not fit; undefined: the run was as it asked for. */
function misfitOf(runId: RunId, request: RunRequest, refusal: string, run: Run): Failure | undefined {
  if (refusal !== "") {
    const about = request.kind === "decide" ? { step: request.event.step, by: request.event.by } : {};
    return refusedFailure(runId, refusal, { ...about, rerunAs: run.rerunAsRunId });
  }
  const hasEnded = run.endedAt !== undefined;
  switch (request.kind) {
    case "retry":
    case "fail":
    case "skip":
    case "patch":
    case "compensate":
      return noIncident(runId);
    case "decide":
      return noApproval(runId);
    case "delete":
    case "rerun":
      return notEnded(runId);
    case "resume":
      return hasEnded ? runEnded(runId) : notPaused(runId);
    case "cancel":
    case "terminate":
    case "pause":
    case "signal":
      return hasEnded ? runEnded(runId) : undefined;
  }
}
