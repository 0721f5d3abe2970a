import type { BreakingChange, PlanResponse } from "../../proto/gen/sidestep/v1/definitions.ts";

/** What breaks, one line each, and how far that was looked for. */
export function breaksText({ breaks, runsLookedAt, runsNotLookedAt, runsUnknown }: PlanResponse): string {
  const looked = runsUnknown
    ? "runs in flight are not known: the orchestrator keeps no index (--index)"
    : `${runsLookedAt} runs in flight looked into${runsNotLookedAt === 0n ? "" : `, ${runsNotLookedAt} not`}`;
  if (breaks.length === 0) return `breaks nothing (${looked})`;
  return [`breaks (${looked}):`, ...breaks.map(breakText)].join("\n");
}

/** One thing that breaks, and some of the runs that it is about. */
export function breakText({ sentence, runIds, runs }: BreakingChange): string {
  const more = BigInt(runIds.length) < runs ? ", …" : "";
  return `  - ${sentence}${runIds.length === 0 ? "" : `\n    ${runIds.slice(0, 3).join(", ")}${runIds.length > 3 ? ", …" : more}`}`;
}
