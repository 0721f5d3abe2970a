import { useCallback, useEffect, useRef, useState } from "react";
import { toApiError } from "../api/ask.ts";
import { call } from "../api/call.ts";
import type { ApiError } from "../api/call.ts";
import { duration, list, number, object, text } from "../api/json.ts";
import { useIndexRevision } from "../api/live.ts";
import { toRun } from "../api/run.ts";
import { joinPage, replaceRows } from "./rows.ts";
import type { Listed } from "./rows.ts";
import { useTotal } from "./useTotal.ts";

/** Runs that a filter finds, as far as they were wanted. */
export interface Runs {
  readonly rows: readonly Listed[];
  /** All that the filter finds; as many as there are rows until it is known. */
  readonly total: number;
  readonly isWhole: boolean;
  readonly isLoading: boolean;
  readonly error: ApiError | undefined;
  /** How far the index is behind, in milliseconds. */
  readonly lag: number | undefined;
  /** Grows when what is shown may have changed. */
  readonly revision: string;
  /** Rows from the first to the last are in view. */
  readonly want: (first: number, last: number) => void;
}

const firstPage = 100;
const page = 1000;
const readAhead = 200;
/** Rows of one question about those in view. */
const inViewMax = 80;

interface State {
  readonly rows: readonly Listed[];
  readonly token: string;
  readonly isWhole: boolean;
  readonly isLoading: boolean;
  readonly error: ApiError | undefined;
  readonly lag: number | undefined;
}

const start: State = {
  rows: [],
  token: "",
  isWhole: false,
  isLoading: true,
  error: undefined,
  lag: undefined,
};

/** Lists runs page by page as they come into view, and keeps those that are in view as they are now. */
export function useRuns(filter: string): Runs {
  const [state, setState] = useState(start);
  const view = useRef({ first: 0, last: 0 });
  const [reach, setReach] = useState(0);
  const isBusy = useRef(false);
  useEffect(() => {
    const stop = new AbortController();
    isBusy.current = true;
    setState((before) => ({ ...before, isLoading: true, error: undefined }));
    const failed = (error: unknown): void => {
      if (!stop.signal.aborted) setState({ ...start, isLoading: false, error: toApiError(error) });
    };
    readPage(filter, firstPage, "", stop.signal)
      .then((answer) => setState({ ...answer, isLoading: false, error: undefined }))
      .catch(failed)
      .finally(() => (isBusy.current = false));
    return () => stop.abort();
  }, [filter]);
  const { rows, token, isWhole, isLoading } = state;
  // Scrolling on does not begin the page anew that is on its way.
  const wantsMore = rows.length < reach + readAhead;
  useEffect(() => {
    if (isLoading || isWhole || isBusy.current || !wantsMore || token === "") return undefined;
    const stop = new AbortController();
    isBusy.current = true;
    readPage(filter, page, token, stop.signal)
      .then((answer) => {
        isBusy.current = false;
        setState((before) => ({ ...before, ...answer, rows: [...before.rows, ...answer.rows] }));
      })
      .catch((error: unknown) => {
        isBusy.current = false;
        if (!stop.signal.aborted) setState((before) => ({ ...before, error: toApiError(error) }));
      });
    return () => {
      isBusy.current = false;
      stop.abort();
    };
  }, [filter, token, isWhole, isLoading, wantsMore]);
  const revision = useIndexRevision();
  useFreshRows(filter, { revision, isLoading, rows, view }, setState);
  const counted = useTotal(filter, revision);
  const want = useCallback((first: number, last: number): void => {
    view.current = { first, last };
    setReach((before) => Math.max(before, last));
  }, []);
  const total = isWhole ? rows.length : Math.max(rows.length, counted ?? 0);
  return { rows, total, isWhole, isLoading, error: state.error, lag: state.lag, revision, want };
}

/** Reads anew what may have changed of what is shown, when the index has changed: the first page, and the rows in view. */
function useFreshRows(
  filter: string,
  {
    revision,
    isLoading,
    rows,
    view,
  }: Pick<State, "isLoading" | "rows"> & {
    readonly revision: string;
    readonly view: { readonly current: { readonly first: number; readonly last: number } };
  },
  setState: (change: (before: State) => State) => void,
): void {
  const shown = useRef(rows);
  useEffect(() => {
    shown.current = rows;
  }, [rows]);
  useEffect(() => {
    if (revision === "" || isLoading) return undefined;
    const stop = new AbortController();
    const { first, last } = view.current;
    const inView = shown.current.slice(first, last).map(({ run }) => run.runId);
    readPage(filter, firstPage, "", stop.signal)
      .then((answer) => setState((before) => ({ ...before, ...joinPage(before, answer), lag: answer.lag })))
      .then(() => (first < firstPage ? [] : readRows(inView, stop.signal)))
      .then((fresh) => setState((before) => ({ ...before, rows: replaceRows(before.rows, fresh) })))
      // The next change comes; what can't be asked at all was told by the list.
      .catch(() => undefined);
    return () => stop.abort();
  }, [filter, revision, isLoading, view, setState]);
}

async function readPage(
  filter: string,
  pageSize: number,
  pageToken: string,
  signal: AbortSignal,
): Promise<Pick<State, "rows" | "token" | "isWhole" | "lag">> {
  const answer = await call("sidestep.v1.Runs/List", { filter, pageSize, pageToken }, { signal });
  const token = text(answer, "nextPageToken");
  const rows = list(answer, "runs", (one) => ({
    run: toRun(object(one["run"])),
    errorStep: text(one, "errorStep"),
    approvals: number(one, "approvalsWaiting"),
  }));
  return { rows, token, isWhole: token === "", lag: duration(answer, "lag") };
}

/** Rows of runs that are known, as they are now. */
async function readRows(runIds: readonly string[], signal: AbortSignal): Promise<readonly Listed[]> {
  if (runIds.length === 0) return [];
  const ids = runIds.slice(0, inViewMax);
  return (await readPage(`id in ${JSON.stringify(ids)}`, ids.length, "", signal)).rows;
}
