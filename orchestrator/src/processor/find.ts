import type { RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { partitionOf } from "../../../proto/wire/layout.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import { readWithoutPayloads } from "./inspect.ts";
import type { InspectGround } from "./inspect.ts";
import { keyPlace } from "./keyPlace.ts";
import type { Keys } from "./ports.ts";
import { startedBy } from "./start.ts";
import type { StartGround } from "./start.ts";

export type FindGround = Pick<StartGround, "layouts" | "logOf"> &
  Omit<InspectGround, "payloads"> & { readonly keys: Keys };

/** The run that holds a key of a workflow, if it has started. Throws when NATS does not answer. */
export async function findRun(ground: FindGround, workflow: string, key: string): Promise<RunId | undefined> {
  const { bucket, hash } = keyPlace(workflow, key);
  const held = await ground.keys.read(bucket, hash);
  const runId = held === undefined ? undefined : parseRunId(held.record.runId);
  if (runId === undefined || held?.record.workflow !== workflow) return undefined;
  return (await startedEvent(ground, runId)) === undefined ? undefined : runId;
}

/**
 * The plan that a run goes by; undefined: there is no such run. It may have been migrated since its start, which takes reading all of it: so the plan
 * of its start will do where that passes `suits`. Throws when NATS does not answer.
 */
export async function planOfRun(
  ground: FindGround,
  runId: RunId,
  suits: (plan: LoadedPlan) => boolean,
): Promise<LoadedPlan | undefined> {
  const started = await startedEvent(ground, runId);
  if (started === undefined) return undefined;
  const first = await ground.plans.load(started.planHash);
  return first !== undefined && suits(first) ? first : (await readWithoutPayloads(ground, runId))?.plan;
}

/** What a run was started with; undefined: there is no such run. Throws when NATS does not answer. */
export async function startedEvent(
  { layouts, logOf }: Pick<FindGround, "layouts" | "logOf">,
  runId: RunId,
): Promise<RunStarted | undefined> {
  const partition = partitionOf(layouts, runId);
  const first = partition === undefined ? undefined : await logOf(partition).firstEvent(runId);
  return first === undefined ? undefined : startedBy(first);
}
