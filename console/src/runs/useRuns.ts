import { useCallback, useEffect, useRef, useState } from "react";
import { toApiError } from "../api/ask.ts";
import { call } from "../api/call.ts";
import type { ApiError } from "../api/call.ts";
import { duration, list, number, object, text } from "../api/json.ts";
import { toRun } from "../api/run.ts";
import type { Run } from "../api/run.ts";

/** A run of a list, with what a list tells besides. */
export interface Listed {
  readonly run: Run;
  readonly errorStep: string;
  readonly approvals: number;
}

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
  /** Rows up to this one are wanted. */
  readonly want: (last: number) => void;
  readonly reload: () => void;
}

const firstPage = 100;
const page = 1000;

interface State {
  readonly rows: readonly Listed[];
  readonly total: number | undefined;
  readonly token: string;
  readonly isWhole: boolean;
  readonly isLoading: boolean;
  readonly error: ApiError | undefined;
  readonly lag: number | undefined;
}

const start: State = {
  rows: [],
  total: undefined,
  token: "",
  isWhole: false,
  isLoading: true,
  error: undefined,
  lag: undefined,
};

/** Lists runs page by page as they come into view. */
export function useRuns(filter: string): Runs {
  const [state, setState] = useState(start);
  const [round, setRound] = useState(0);
  const wanted = useRef(0);
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
      .then((answer) => setState((before) => ({ ...answer, total: before.total, isLoading: false, error: undefined })))
      .catch(failed)
      .finally(() => (isBusy.current = false));
    call("sidestep.v1.Runs/Count", { filter }, stop.signal)
      .then((answer) =>
        setState((before) => ({
          ...before,
          total: list(answer, "counts", (one) => number(one, "runs")).reduce((a, b) => a + b, 0),
        })),
      )
      // The list says what is wrong with the filter.
      .catch(() => undefined);
    return () => stop.abort();
  }, [filter, round]);
  const { rows, token, isWhole, isLoading } = state;
  useEffect(() => {
    if (isLoading || isWhole || isBusy.current || rows.length >= reach + 200 || token === "") return undefined;
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
  }, [filter, rows.length, token, isWhole, isLoading, reach]);
  const want = useCallback((last: number): void => {
    if (last <= wanted.current) return;
    wanted.current = last;
    setReach(last);
  }, []);
  const reload = useCallback(() => setRound((now) => now + 1), []);
  const total = isWhole ? rows.length : Math.max(rows.length, state.total ?? 0);
  return { rows, total, isWhole, isLoading, error: state.error, lag: state.lag, want, reload };
}

async function readPage(
  filter: string,
  pageSize: number,
  pageToken: string,
  signal: AbortSignal,
): Promise<Pick<State, "rows" | "token" | "isWhole" | "lag">> {
  const answer = await call("sidestep.v1.Runs/List", { filter, pageSize, pageToken }, signal);
  const token = text(answer, "nextPageToken");
  const rows = list(answer, "runs", (one) => ({
    run: toRun(object(one["run"])),
    errorStep: text(one, "errorStep"),
    approvals: number(one, "approvalsWaiting"),
  }));
  return { rows, token, isWhole: token === "", lag: duration(answer, "lag") };
}
