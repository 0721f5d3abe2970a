import { beginsRun } from "../../../orchestrator/src/processor/eventIn.ts";
import { keyPlace } from "../../../orchestrator/src/processor/keyPlace.ts";
import { KeyRecord } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import type { Refolded } from "../rules/run.ts";
import { names } from "./log.ts";
import type { Stage } from "./stage.ts";

/** Runs that are deleted as somebody was told, and of which something is left that says what they were. */
export function leftOf({ logs }: Stage, deleted: ReadonlySet<string>): readonly string[] {
  return [...deleted].filter((runId) =>
    logs.some((log, partition) => {
      const first = log.first(names.eventSubject(partition, runId));
      return first !== undefined && beginsRun(first);
    }),
  );
}

/** What is left of runs that were deleted or gone on for: nothing but the request; no timer; and the key is with the run that goes on. */
export function checkAfterlife(stage: Stage, deleted: ReadonlySet<string>, runs: ReadonlyMap<string, Refolded>): void {
  const tell = (rule: string): void => void stage.world.violations.push(rule);
  for (const runId of leftOf(stage, deleted)) tell(`something is left of ${runId}, which is deleted`);
  for (const name of stage.timers.armed.keys())
    if (deleted.has(name.split("/")[0] ?? "")) tell(`a timer is left of a run that is deleted: ${name}`);
  for (const { runId, state } of runs.values()) {
    const { key = "", workflow = "" } = state.started ?? {};
    const holder = key === "" ? undefined : holderOf(stage, workflow, key);
    if (holder === undefined) continue;
    if (holder === runId && deleted.has(runId)) tell(`8: the key ${key} stays with ${runId}, which is deleted`);
    if (holder === runId && state.rerun !== undefined)
      tell(`8: the key ${key} stays with ${runId}, which is gone on for`);
  }
}

function holderOf({ keys }: Stage, workflow: string, key: string): string | undefined {
  const { bucket, hash } = keyPlace(workflow, key);
  const record = keys.records.get(`${bucket}.${hash}`);
  return record === undefined ? undefined : toHex(KeyRecord.decode(record.value).runId);
}
