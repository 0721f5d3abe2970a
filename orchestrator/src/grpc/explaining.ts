import type { ExplainRunResponse } from "../../../proto/gen/sidestep/v1/runs.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { Front } from "../processor/front.ts";
import type { Catalog } from "./catalog.ts";
import { absenceFailure } from "./failure.ts";
import type { LimitStore } from "./methodLimits.ts";
import { done, failed } from "./unary.ts";
import type { Answered } from "./unary.ts";

/** What a run waits for, with what the catalog and the limits of methods say about it. */
export async function explainRun(
  runId: RunId,
  { front, catalog, limits }: { readonly front: Front; readonly catalog: Catalog; readonly limits: LimitStore },
  nowMs: number,
): Promise<Answered<ExplainRunResponse>> {
  const limited = await limitedMethods(limits);
  const found = await front.explain(runId, {
    nowMs,
    offersOf: (method) => catalog.offersOf(method),
    isLimited: (method) => limited.has(method),
  });
  return found.kind === "explained" ? done(found.explained) : failed(absenceFailure(runId, found));
}

/** None while NATS does not tell: the rest is worth saying without it. */
async function limitedMethods(limits: LimitStore): Promise<ReadonlySet<string>> {
  try {
    return new Set((await limits.list()).map(({ method }) => method));
  } catch {
    return new Set();
  }
}
