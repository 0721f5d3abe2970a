import { useEffect, useRef, useState } from "react";
import { toApiError } from "../api/ask.ts";
import { call } from "../api/call.ts";
import type { ApiError } from "../api/call.ts";
import { list, text } from "../api/json.ts";
import { toEvent } from "../api/run.ts";
import type { HistoryEvent, Run } from "../api/run.ts";

const pageSize = 1000;

/** The whole history of a run, page by page; what came since is fetched when the run has changed. */
export function useHistory(run: Run): {
  readonly events: readonly HistoryEvent[];
  readonly error: ApiError | undefined;
  readonly isWhole: boolean;
} {
  const [state, setState] = useState<{
    readonly events: readonly HistoryEvent[];
    readonly error?: ApiError;
    readonly isWhole: boolean;
  }>({ events: [], isWhole: false });
  const last = useRef({ runId: "", token: "", before: 0 });
  const stamp = `${run.state} ${run.held} ${run.steps.map(({ path, state: of, attempt }) => `${path}${of}${attempt}`).join()}`;
  const { runId } = run;
  useEffect(() => {
    const stop = new AbortController();
    if (last.current.runId !== runId) last.current = { runId, token: "", before: 0 };
    const read = async (): Promise<void> => {
      let known = last.current.before;
      for (;;) {
        const answer = await call(
          "sidestep.v1.Runs/History",
          { runId, pageSize, pageToken: last.current.token },
          { signal: stop.signal },
        );
        const events = list(answer, "events", toEvent);
        const start = known;
        const next = text(answer, "nextPageToken");
        setState((before) => ({ events: [...before.events.slice(0, start), ...events], isWhole: next === "" }));
        if (next === "") return;
        known += events.length;
        last.current = { runId, token: next, before: known };
      }
    };
    read().catch((error: unknown) => {
      if (!stop.signal.aborted) setState((before) => ({ ...before, error: toApiError(error) }));
    });
    return () => stop.abort();
  }, [runId, stamp]);
  return { events: state.events, error: state.error, isWhole: state.isWhole };
}
