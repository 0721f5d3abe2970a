import { useEffect, useState } from "react";
import { toApiError } from "../api/ask.ts";
import type { ApiError } from "../api/call.ts";
import { farPage } from "./far.ts";
import { readPage } from "./readPage.ts";
import type { Listed } from "./rows.ts";

/** Rows of a place that one has jumped to. */
export interface Far {
  readonly first: number;
  readonly rows: readonly Listed[];
  readonly error: ApiError | undefined;
}

interface State extends Far {
  readonly filter: string;
}

const nothing: State = { filter: "", first: 0, rows: [], error: undefined };

/** Rows of the list from a place on, read again when the index has changed; the last ones stay until others have come. Undefined: none are wanted. */
export function useFar(filter: string, place: number | undefined, revision: string): Far {
  const [state, setState] = useState(nothing);
  useEffect(() => {
    if (place === undefined) return undefined;
    const stop = new AbortController();
    readPage({ filter, pageSize: farPage, skip: place }, stop.signal)
      .then(({ rows }) => setState({ filter, first: place, rows, error: undefined }))
      .catch((error: unknown) => {
        if (!stop.signal.aborted) setState((before) => ({ ...before, error: toApiError(error) }));
      });
    return () => stop.abort();
  }, [filter, place, revision]);
  return state.filter === filter ? state : nothing;
}
