import { useMemo } from "react";
import { useAnswer } from "../api/ask.ts";
import type { ApiError } from "../api/call.ts";
import { list, number, oneOf, text } from "../api/json.ts";
import { runStates } from "../api/run.ts";
import type { RunState } from "../api/run.ts";

/** Runs of one version in one state. */
export interface Count {
  readonly workflow: string;
  readonly version: number;
  readonly state: RunState;
  readonly runs: number;
}

/** How many runs a filter finds, by workflow, version and state. */
export function useCounts(filter: string): {
  readonly counts: readonly Count[];
  readonly error: ApiError | undefined;
  readonly isLoading: boolean;
} {
  const { value, error, isLoading } = useAnswer("sidestep.v1.Runs/Count", { filter });
  const counts = useMemo(
    () =>
      value === undefined
        ? []
        : list(value, "counts", (one) => ({
            workflow: text(one, "workflow"),
            version: number(one, "version"),
            state: oneOf(one, "state", runStates, "RUNNING"),
            runs: number(one, "runs"),
          })),
    [value],
  );
  return { counts, error, isLoading };
}

/** All of them. */
export function totalOf(counts: readonly Count[]): number {
  return counts.reduce((sum, { runs }) => sum + runs, 0);
}

/** Those that go on. */
export function liveOf(counts: readonly Count[]): number {
  return totalOf(counts.filter(({ state }) => ["RUNNING", "PAUSED", "COMPENSATING", "CORRUPT"].includes(state)));
}

/** Those that did not come to what was wanted. */
export function failedOf(counts: readonly Count[]): number {
  return totalOf(counts.filter(({ state }) => ["FAILED", "COMPENSATED", "COMPENSATION_FAILED"].includes(state)));
}
