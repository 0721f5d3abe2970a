import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { toApiError } from "../api/ask.ts";
import type { ApiError } from "../api/call.ts";
import { useIndexRevision } from "../api/live.ts";
import { farPlace } from "./far.ts";
import { readPage } from "./readPage.ts";
import { joinPage, replaceRows } from "./rows.ts";
import type { Listed } from "./rows.ts";
import { useFar } from "./useFar.ts";
import { useTotal } from "./useTotal.ts";

/** Runs that a filter finds, as far as they were wanted. */
export interface Runs {
  /** Those that are loaded: the first ones, and those around a place that one has jumped to. */
  readonly rows: readonly Listed[];
  /** The row at a place of the list; undefined: it is not loaded. */
  readonly rowAt: (place: number) => Listed | undefined;
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
    readPage({ filter, pageSize: firstPage }, stop.signal)
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
    readPage({ filter, pageSize: page, token }, stop.signal)
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
  const total = isWhole ? rows.length : Math.max(rows.length, counted ?? 0);
  const known = useRef({ loaded: 0, soon: page, total: 0 });
  useEffect(() => {
    known.current = { loaded: rows.length, soon: page, total };
  }, [rows, total]);
  const [place, setPlace] = useState<number>();
  const far = useFar(filter, place, revision);
  const want = useCallback((first: number, last: number): void => {
    view.current = { first, last };
    setPlace((before) => farPlace({ first, last }, known.current, before));
    // Whoever jumps away does not wait for all that lies between.
    if (first <= known.current.loaded + page) setReach((before) => Math.max(before, last));
  }, []);
  const rowAt = useCallback((at: number) => rows[at] ?? far.rows[at - far.first], [rows, far]);
  const loaded = useMemo(() => [...rows, ...far.rows], [rows, far]);
  const error = state.error ?? far.error;
  return { rows: loaded, rowAt, total, isWhole, isLoading, error, lag: state.lag, revision, want };
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
    readPage({ filter, pageSize: firstPage }, stop.signal)
      .then((answer) => setState((before) => ({ ...before, ...joinPage(before, answer), lag: answer.lag })))
      .then(() => (first < firstPage ? [] : readRows(inView, stop.signal)))
      .then((fresh) => setState((before) => ({ ...before, rows: replaceRows(before.rows, fresh) })))
      // The next change comes; what can't be asked at all was told by the list.
      .catch(() => undefined);
    return () => stop.abort();
  }, [filter, revision, isLoading, view, setState]);
}

/** Rows of runs that are known, as they are now. */
async function readRows(runIds: readonly string[], signal: AbortSignal): Promise<readonly Listed[]> {
  if (runIds.length === 0) return [];
  const ids = runIds.slice(0, inViewMax);
  return (await readPage({ filter: `id in ${JSON.stringify(ids)}`, pageSize: ids.length }, signal)).rows;
}
