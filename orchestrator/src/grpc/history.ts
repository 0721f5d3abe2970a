import type { ArchivedRun } from "../../../proto/gen/sidestep/internal/v1/archive.ts";
import type { HistoryEvent } from "../../../proto/gen/sidestep/v1/run.ts";
import type { RunHistoryRequest, RunHistoryResponse } from "../../../proto/gen/sidestep/v1/runs.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import type { Front } from "../processor/front.ts";
import { absenceFailure } from "./failure.ts";
import { done, failed } from "./unary.ts";
import type { Answered } from "./unary.ts";

const pageMax = 1000;

/** What it takes to tell a run's events. */
export interface HistoryGround {
  readonly front: Front;
  /** A run that the log has no more, as it was archived. */
  readonly archived: (runId: RunId) => Promise<ArchivedRun | undefined>;
}

/** The run's events, a page at a time: of its log, or of the archive where there is no log any more. */
export async function history(
  runId: RunId,
  request: RunHistoryRequest,
  { front, archived }: HistoryGround,
): Promise<Answered<RunHistoryResponse>> {
  const after = request.pageToken === "" ? 0 : Number(request.pageToken);
  if (!Number.isSafeInteger(after) || after < 0) {
    return failed({
      code: code.INVALID_ARGUMENT,
      message: "page_token is none that was given out",
      reason: "INVALID_PAGE_TOKEN",
    });
  }
  const limit = request.pageSize > 0 ? Math.min(request.pageSize, pageMax) : pageMax;
  const got = await front.history(runId, after, limit);
  if (got.kind === "unknown") {
    const kept = await archived(runId);
    if (kept !== undefined) return done(archivedPage(kept.events, after, limit));
  }
  if (got.kind !== "history") return failed(absenceFailure(runId, got));
  return done({ events: got.events, nextPageToken: got.next === undefined ? "" : String(got.next) });
}

function archivedPage(events: readonly HistoryEvent[], after: number, limit: number): RunHistoryResponse {
  const rest = events.filter(({ sequence }) => sequence > BigInt(after));
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  return { events: page, nextPageToken: rest.length > limit && last !== undefined ? String(last.sequence) : "" };
}
