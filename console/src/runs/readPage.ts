import { call } from "../api/call.ts";
import { duration, list, number, object, text } from "../api/json.ts";
import { toRun } from "../api/run.ts";
import type { Loaded } from "./rows.ts";

/** Which rows of a list. */
export interface PageWanted {
  readonly filter: string;
  readonly pageSize: number;
  /** Of the page before; absent: from the first row on. */
  readonly token?: string;
  /** So many rows before it are left out. */
  readonly skip?: number;
}

/** A page, and how far the index was behind, in milliseconds. */
export interface Page extends Loaded {
  readonly lag: number | undefined;
}

/** One page of the list of runs. Throws ApiError. */
export async function readPage(
  { filter, pageSize, token: pageToken = "", skip = 0 }: PageWanted,
  signal: AbortSignal,
): Promise<Page> {
  const answer = await call("sidestep.v1.Runs/List", { filter, pageSize, pageToken, skip }, { signal });
  const token = text(answer, "nextPageToken");
  const rows = list(answer, "runs", (one) => ({
    run: toRun(object(one["run"])),
    errorStep: text(one, "errorStep"),
    approvals: number(one, "approvalsWaiting"),
  }));
  return { rows, token, isWhole: token === "", lag: duration(answer, "lag") };
}
