import type { Findings } from "./findings.ts";
import type { Place } from "./place.ts";

/** Parts of the schema whose running came after the first version. */
export type Feature =
  | "for_each"
  | "loop"
  | "try"
  | "need"
  | "return in a branch"
  | "compensate_now"
  | "compensate by a block"
  | "compensate of a step with blocks"
  | "saga: MANUAL"
  | "signal"
  | "approve"
  | "run"
  | "emit"
  | "yield"
  | "lock"
  | "on_doubt: VERIFY"
  | "call of a streaming rpc"
  | "secret"
  | "request as it came"
  | "query"
  | "cron trigger"
  | "subject trigger";

/** All of them. */
export const allFeatures: ReadonlySet<Feature> = new Set<Feature>([
  "for_each",
  "loop",
  "try",
  "need",
  "return in a branch",
  "compensate_now",
  "compensate by a block",
  "compensate of a step with blocks",
  "saga: MANUAL",
  "signal",
  "approve",
  "run",
  "emit",
  "yield",
  "lock",
  "on_doubt: VERIFY",
  "call of a streaming rpc",
  "secret",
  "request as it came",
  "query",
  "cron trigger",
  "subject trigger",
]);

/** What this version runs. */
export const engineFeatures: ReadonlySet<Feature> = allFeatures;

/** Refuses what is compiled but can't be run yet; says whether it can. */
export function requireFeature(
  { features, findings }: { readonly features: ReadonlySet<Feature>; readonly findings: Findings },
  feature: Feature,
  place: Place,
): boolean {
  if (features.has(feature)) return true;
  findings.add("NOT_YET", place, `\`${feature}\` is not supported yet`, "leave it out");
  return false;
}
