import type { RunId } from "../../../proto/wire/runId.ts";
import type { RunRequest } from "../processor/front.ts";
import { absenceFailure } from "./failure.ts";
import { noApproval, noIncident, notPaused, refusedFailure, runEnded } from "./runFailure.ts";
import type { IngressOptions } from "./starting.ts";
import { done, failed } from "./unary.ts";
import type { Answered } from "./unary.ts";

const requestTimeoutMs = 10_000;

/** Makes a person's request durable, and answers when it has been folded, with what came of it. */
export async function steer(
  runId: RunId,
  request: RunRequest,
  { front }: Pick<IngressOptions, "front">,
): Promise<Answered<object>> {
  const result = await front.request(runId, request, AbortSignal.timeout(requestTimeoutMs));
  if (result.kind !== "done") return failed(absenceFailure(runId, result));
  if (!result.ignored || result.refusal === "DUPLICATE") return done({});
  if (result.refusal !== "") {
    const about = request.kind === "decide" ? { step: request.event.step, by: request.event.by } : {};
    const failure = refusedFailure(runId, result.refusal, about);
    return failure === undefined ? done({}) : failed(failure);
  }
  const got = await front.get(runId);
  if (got.kind !== "run") return failed(absenceFailure(runId, got));
  const hasEnded = got.run.endedAt !== undefined;
  switch (request.kind) {
    case "retry":
    case "fail":
    case "skip":
    case "patch":
    case "compensate":
      return failed(noIncident(runId));
    case "decide":
      return failed(noApproval(runId));
    case "resume":
      return failed(hasEnded ? runEnded(runId) : notPaused(runId));
    case "cancel":
    case "terminate":
    case "pause":
    case "signal":
      // A run that is being undone, or is paused, already has what was asked for.
      return hasEnded ? failed(runEnded(runId)) : done({});
  }
}
