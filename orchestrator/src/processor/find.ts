import type { RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { partitionOf } from "../../../proto/wire/layout.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import { keyPlace } from "./keyPlace.ts";
import type { Keys, Plans } from "./ports.ts";
import { startedBy } from "./start.ts";
import type { StartGround } from "./start.ts";

export type FindGround = Pick<StartGround, "layouts" | "logOf"> & { readonly keys: Keys; readonly plans: Plans };

/** The run that holds a key of a workflow, if it has started. Throws when NATS does not answer. */
export async function findRun(ground: FindGround, workflow: string, key: string): Promise<RunId | undefined> {
  const { bucket, hash } = keyPlace(workflow, key);
  const held = await ground.keys.read(bucket, hash);
  const runId = held === undefined ? undefined : parseRunId(held.record.runId);
  if (runId === undefined || held?.record.workflow !== workflow) return undefined;
  return (await startedEvent(ground, runId)) === undefined ? undefined : runId;
}

/** The plan that a run is pinned to; undefined: there is no such run. Throws when NATS does not answer. */
export async function planOfRun(ground: FindGround, runId: RunId): Promise<LoadedPlan | undefined> {
  const started = await startedEvent(ground, runId);
  return started === undefined ? undefined : ground.plans.load(started.planHash);
}

async function startedEvent({ layouts, logOf }: FindGround, runId: RunId): Promise<RunStarted | undefined> {
  const partition = partitionOf(layouts, runId);
  const first = partition === undefined ? undefined : await logOf(partition).firstEvent(runId);
  return first === undefined ? undefined : startedBy(first);
}
