import { useEffect, useRef, useState } from "react";
import { call } from "../api/call.ts";
import { list, number } from "../api/json.ts";

/** Counting may have to look at every run. */
const everyMs = 5_000;

/** How many runs a filter finds, counted again some time after the index has changed; undefined: not yet known. */
export function useTotal(filter: string, revision: string): number | undefined {
  const [counted, setCounted] = useState({ filter: "", total: 0 });
  const last = useRef({ filter: "", atMs: 0 });
  useEffect(() => {
    const stop = new AbortController();
    const waitMs = last.current.filter === filter ? Math.max(0, last.current.atMs + everyMs - Date.now()) : 0;
    const timer = setTimeout(() => {
      call("sidestep.v1.Runs/Count", { filter }, { signal: stop.signal })
        .then((answer) => {
          last.current = { filter, atMs: Date.now() };
          setCounted({
            filter,
            total: list(answer, "counts", (one) => number(one, "runs")).reduce((a, b) => a + b, 0),
          });
        })
        // The list says what is wrong with the filter.
        .catch(() => undefined);
    }, waitMs);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [filter, revision]);
  return counted.filter === filter && last.current.filter === filter ? counted.total : undefined;
}
