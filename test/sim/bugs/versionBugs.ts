import type { PlantedBug } from "./plantedBugs.ts";

const engine = "orchestrator/src/engine";
const processor = "orchestrator/src/processor";

/** Bugs of runs that go on by another version, and of services that are others than their plans know. */
export const versionBugs: readonly PlantedBug[] = [
  {
    kind: "source",
    name: "migration: one that something came before counts",
    file: `${engine}/snapshot/resume.ts`,
    find: "return through === 0 || before <= through;",
    replace: "return through >= 0 || before <= through;",
  },
  {
    kind: "source",
    name: "migration: what was asked for is not compared",
    file: `${engine}/migration.ts`,
    find: "if (difference !== undefined) return {",
    replace: "if (difference !== undefined && record.sequence < 0) return {",
  },
  {
    kind: "source",
    name: "migration: a step at an incident keeps its idempotency key",
    file: `${engine}/fold.ts`,
    find: 'if (step?.state.kind === "paused") step.generation += 1;',
    replace: 'if (step?.state.kind === "paused") step.generation += 0;',
  },
  {
    kind: "source",
    name: "migration: every call may be another one",
    file: `${engine}/migration.ts`,
    find: "return step !== undefined;",
    replace: "return true;",
  },
  {
    kind: "source",
    name: "migration: the place is that in the version before",
    file: `${engine}/migration.ts`,
    find: "at: placeOf(to, after).step",
    replace: 'at: before.lastSequence > 4 ? "" : placeOf(to, after).step',
  },
  {
    kind: "source",
    name: "migration: the owner goes on by the version before",
    file: `${processor}/residents.ts`,
    find: "isMigration(record) && record.sequence > run.plannedThrough",
    replace: "isMigration(record) && record.sequence < run.plannedThrough",
  },
  {
    kind: "source",
    name: "migration: it is told to be done, whatever came in between",
    file: `${processor}/migrating.ts`,
    find: "if (await isInForceAt(ground, runId, written.sequence, value)) return",
    replace: "if (written.sequence > 0) return",
  },
  {
    kind: "source",
    name: "migration: the event does not say what was known",
    file: `${processor}/migrating.ts`,
    find: "through: Math.max(lastEvent, lastOutcome),",
    replace: "through: Math.max(lastEvent, lastOutcome) + 1_000,",
  },
  {
    kind: "source",
    name: "drift: whoever asks may call",
    file: `${processor}/asks.ts`,
    find: "if (misfit !== undefined) return misfit;",
    replace: "",
  },
  {
    kind: "source",
    name: "drift: nobody asks",
    file: "sidecar/src/worker.ts",
    find: "isUnsure: this.#ports.contracts.isUnsure(task),",
    replace: "isUnsure: false,",
  },
  {
    kind: "source",
    name: "drift: a step that waits is never asked for again",
    file: `${engine}/attempts.ts`,
    find: "const pauseMs = isHeld ? heldPauseMs(nowMs - attempt.step.startedMs) : reissueAfterMs;",
    replace: "const pauseMs = isHeld ? 40 * 3_600_000 : reissueAfterMs;",
  },
];
