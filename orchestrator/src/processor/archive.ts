import { promisify } from "node:util";
import { deflateRaw, inflateRaw } from "node:zlib";
import { ArchivedRun, ArchivedStep } from "../../../proto/gen/sidestep/internal/v1/archive.ts";
import type { TraceRunResponse } from "../../../proto/gen/sidestep/v1/runs.ts";
import type { HistoryEvent } from "../../../proto/gen/sidestep/v1/run.ts";
import { partitionOf } from "../../../proto/wire/layout.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { Log } from "../../../runtime/src/log.ts";
import { advance } from "../engine/advance.ts";
import { describeRun } from "../engine/describe.ts";
import { describeEvent } from "../engine/describeEvent.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import type { LogRecord } from "../engine/record.ts";
import { resume } from "../engine/snapshot/resume.ts";
import { rowOf } from "../projection/runRow.ts";
import type { RunRow } from "../projection/runRow.ts";
import { openStepNotes } from "../projection/stepDetails.ts";
import type { DetailedStep } from "../projection/stepDetails.ts";
import { readRecords } from "./inspect.ts";
import type { InspectGround } from "./inspect.ts";
import { LostPayload } from "./loading.ts";
import type { RunStore } from "./runStore.ts";

/** Keeps a run before its log goes. Rejects while the log or the store does not answer. */
export type Archive = (runId: RunId) => Promise<void>;

/** What archiving needs. */
export interface ArchiveGround extends InspectGround {
  readonly store: RunStore;
  readonly showTrace: (runId: RunId, plan: LoadedPlan, records: readonly LogRecord[]) => TraceRunResponse;
  readonly logger: Log;
}

/** Of what is kept of the steps of a run. */
const stepBytesMax = 8 << 20;

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/**
 * Archives runs as the public API shows them, so that plans, secrets and payloads may go. One that can't be folded has nothing to show and is
 * passed over, with a word in the log; so is what a deletion that stopped half-way has left, for it was archived then.
 */
export function toArchive(ground: ArchiveGround): Archive {
  const { store, layouts, logger } = ground;
  return async (runId) => {
    const partition = partitionOf(layouts, runId);
    const found = partition === undefined ? undefined : await records(ground, runId);
    if (partition === undefined || found === undefined) return;
    const shown = show(ground, partition, runId, found);
    if (shown === "deleted") return;
    if (shown === undefined) {
      logger.warn("a run that can't be folded was not archived", { runId });
      return;
    }
    const history = await deflate(ArchivedRun.encode(shown.run).finish());
    await store.archive({ row: shown.row, history: new Uint8Array(history) });
  };
}

/** Puts a run of elsewhere into the archive: one that has ended, and can be folded. Rejects with RunStoreError. */
export async function archiveForeign(
  ground: Pick<ArchiveGround, "store" | "showTrace">,
  partition: number,
  runId: RunId,
  found: { readonly plan: LoadedPlan; readonly records: readonly LogRecord[] },
): Promise<"archived" | "refused"> {
  const shown = show(ground, partition, runId, found);
  if (shown === undefined || shown === "deleted") return "refused";
  const history = await deflate(ArchivedRun.encode(shown.run).finish());
  await ground.store.archive({ row: shown.row, history: new Uint8Array(history) });
  return "archived";
}

/** A run from the archive; undefined: it is not there. Rejects with RunStoreError. */
export async function readArchived(store: RunStore, runId: RunId): Promise<ArchivedRun | undefined> {
  const history = await store.archived(runId);
  return history === undefined ? undefined : ArchivedRun.decode(await inflate(history));
}

async function records(ground: ArchiveGround, runId: RunId): ReturnType<typeof readRecords> {
  try {
    return await readRecords(ground, runId);
  } catch (error) {
    if (error instanceof LostPayload) return undefined;
    throw error;
  }
}

function show(
  { showTrace }: Pick<ArchiveGround, "showTrace">,
  partition: number,
  runId: RunId,
  { plan, records: all }: { readonly plan: LoadedPlan; readonly records: readonly LogRecord[] },
): { readonly row: RunRow; readonly run: ArchivedRun } | "deleted" | undefined {
  try {
    const { state, records: rest } = resume(plan, runId, all);
    const events: HistoryEvent[] = [];
    const notes = openStepNotes(plan, state, () => true);
    for (const record of rest) {
      const turn = advance(plan, state, record);
      events.push(describeEvent(plan, state, record, turn));
      notes.note(turn);
    }
    const row = rowOf(partition, plan, state);
    if (row?.endedMs === undefined) return undefined;
    if (row.deleted) return "deleted";
    const steps = toArchivedSteps(notes.steps());
    return { row, run: { run: describeRun(plan, state), events, trace: showTrace(runId, plan, all), steps } };
  } catch {
    return undefined;
  }
}

/** Those that have room. */
function toArchivedSteps(steps: readonly DetailedStep[]): ArchivedStep[] {
  const kept: ArchivedStep[] = [];
  let sizeBytes = 0;
  for (const { step, isCompensation, expressions, attempts } of steps) {
    const one: ArchivedStep = { step, compensation: isCompensation, details: { expressions, attempts } };
    sizeBytes += ArchivedStep.encode(one).finish().length;
    if (sizeBytes > stepBytesMax) return kept;
    kept.push(one);
  }
  return kept;
}
