import { useCallback, useEffect, useState } from "react";
import { toApiError } from "../api/ask.ts";
import { toAuditPage } from "../api/audit.ts";
import type { AuditEntry, AuditOutcome } from "../api/audit.ts";
import { call } from "../api/call.ts";
import type { ApiError } from "../api/call.ts";
import { joinedEntries } from "./joinedEntries.ts";

/** What is looked for; empty: all. */
export interface AuditQuery {
  readonly actor: string;
  readonly method: string;
  readonly target: string;
  readonly outcome: AuditOutcome;
}

/** Entries as far as they were asked for. */
export interface AuditEntries {
  readonly entries: readonly AuditEntry[];
  /** There may be older ones. */
  readonly hasMore: boolean;
  readonly isLoading: boolean;
  readonly error: ApiError | undefined;
  readonly readOlder: () => void;
  /** Begins again with the newest. */
  readonly readAgain: () => void;
}

interface State {
  readonly entries: readonly AuditEntry[];
  readonly token: string;
  readonly isLoading: boolean;
  readonly error: ApiError | undefined;
}

const pageSize = 100;
const start: State = { entries: [], token: "", isLoading: true, error: undefined };

/** The audit, newest first, page by page as somebody asks for older ones. Whoever looks for something else makes it anew. */
export function useAudit({ actor, method, target, outcome }: AuditQuery): AuditEntries {
  const [state, setState] = useState(start);
  /** The page that is wanted; `from` is new each time, so that the same page can be asked for again. */
  const [wanted, setWanted] = useState({ token: "" });
  useEffect(() => {
    const stop = new AbortController();
    const { token } = wanted;
    setState((before) => ({ ...before, isLoading: true, error: undefined }));
    call(
      "sidestep.v1.Audit/List",
      { actor, method, target, outcome, pageSize, pageToken: token },
      { signal: stop.signal },
    )
      .then(toAuditPage)
      .then((page) =>
        setState((before) => ({
          entries: joinedEntries(token === "" ? [] : before.entries, page.entries),
          token: page.token,
          isLoading: false,
          error: undefined,
        })),
      )
      .catch((error: unknown) => {
        if (!stop.signal.aborted) setState((before) => ({ ...before, isLoading: false, error: toApiError(error) }));
      });
    return () => stop.abort();
  }, [actor, method, target, outcome, wanted]);
  const { entries, token, isLoading, error } = state;
  const readOlder = useCallback(() => setWanted({ token }), [token]);
  const readAgain = useCallback(() => setWanted({ token: "" }), []);
  return { entries, hasMore: token !== "", isLoading, error, readOlder, readAgain };
}
