import type { ExplainedRun, ExplainRunResponse, ExplainRunsResponse } from "../../../proto/gen/sidestep/v1/runs.ts";
import { Waiting_Kind } from "../../../proto/gen/sidestep/v1/waiting.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import type { Front } from "../processor/front.ts";
import type { Catalog } from "./catalog.ts";
import { absenceFailure } from "./failure.ts";
import type { LimitStore } from "./methodLimits.ts";
import { done, failed } from "./unary.ts";
import type { Answered } from "./unary.ts";

interface Surroundings {
  readonly front: Front;
  readonly catalog: Catalog;
  readonly limits: LimitStore;
}

/** What a run waits for, with what the catalog and the limits of methods say about it. */
export async function explainRun(
  runId: RunId,
  around: Surroundings,
  nowMs: number,
): Promise<Answered<ExplainRunResponse>> {
  const found = await around.front.explain(runId, await elsewhere(around, nowMs));
  return found.kind === "explained" ? done(found.explained) : failed(absenceFailure(runId, found));
}

const runsMax = 100;
/** Runs that may have to be read from the log at one time. */
const atOnce = 8;

/** What some runs wait for, a sentence each. */
export async function explainRuns(
  runIds: readonly string[],
  around: Surroundings,
  nowMs: number,
): Promise<Answered<ExplainRunsResponse>> {
  if (runIds.length > runsMax)
    return failed({
      code: code.INVALID_ARGUMENT,
      message: `${runIds.length} runs are asked for, at most ${runsMax} are explained at once`,
      reason: "TOO_MANY",
    });
  const shared = await elsewhere(around, nowMs);
  const explained = runIds.map((): ExplainedRun | undefined => undefined);
  const left = runIds.map(parseRunId).entries();
  const worker = async (): Promise<void> => {
    for (const [at, runId] of left) {
      if (runId === undefined) continue;
      const found = await around.front.explain(runId, shared);
      if (found.kind === "explained") explained[at] = toExplained(runId, found.explained);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return done({ runs: explained.filter((one) => one !== undefined) });
}

/** Undefined: it waits for nothing, for it has ended. */
function toExplained(runId: RunId, { sentence, waiting: [first] }: ExplainRunResponse): ExplainedRun | undefined {
  if (first === undefined || first.kind === Waiting_Kind.KIND_UNSPECIFIED) return undefined;
  return { runId, sentence, step: first.step, kind: first.kind };
}

async function elsewhere({ catalog, limits }: Surroundings, nowMs: number): Promise<Parameters<Front["explain"]>[1]> {
  const limited = await limitedMethods(limits);
  return {
    nowMs,
    offersOf: (method) => catalog.offersOf(method),
    driftOf: (plan, method, path) => catalog.driftOf(plan, method, path),
    isLimited: (method) => limited.has(method),
  };
}

/** None while NATS does not tell: the rest is worth saying without it. */
async function limitedMethods(limits: LimitStore): Promise<ReadonlySet<string>> {
  try {
    return new Set((await limits.list()).map(({ method }) => method));
  } catch {
    return new Set();
  }
}
