import type { HistoryEvent } from "../../../proto/gen/sidestep/v1/run.ts";
import { partitionOf } from "../../../proto/wire/layout.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { advance } from "../engine/advance.ts";
import { describeEvent } from "../engine/describeEvent.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import type { LogRecord } from "../engine/record.ts";
import { resume } from "../engine/snapshot/resume.ts";
import type { RunState } from "../engine/state.ts";
import { readRecords, readState } from "./inspect.ts";
import type { InspectGround } from "./inspect.ts";

/** Some events of a run, and the sequence behind which the next ones are. */
export interface HistoryPage {
  readonly events: readonly HistoryEvent[];
  readonly next: number | undefined;
}

/** Reads histories of runs page by page. */
export interface Histories {
  /** At most `limit` events of a run behind a sequence; undefined: there is no such run. Throws when NATS does not answer. */
  read(runId: RunId, after: number, limit: number): Promise<HistoryPage | undefined>;
}

/** Readings that are kept, each with what it has read of its run, and for how long nobody has to come for more. */
const keptMax = 4;
const keptMs = 10_000;

/** A run that is folded up to a record. */
interface Reading {
  readonly plan: LoadedPlan;
  readonly state: RunState;
  readonly records: readonly LogRecord[];
  /** Of the record that is folded next. */
  at: number;
}

/** A page that is not the last leaves its reading behind, and the next one goes on from there instead of folding the run from its beginning. */
export function openHistories(ground: InspectGround): Histories {
  const kept = new Map<string, { readonly reading: Reading; readonly timer: NodeJS.Timeout }>();
  const take = (place: string): Reading | undefined => {
    const found = kept.get(place);
    kept.delete(place);
    clearTimeout(found?.timer);
    return found?.reading;
  };
  const keep = (place: string, reading: Reading): void => {
    take(place);
    for (const [oldest] of kept) {
      if (kept.size < keptMax) break;
      take(oldest);
    }
    const timer = setTimeout(() => take(place), keptMs);
    timer.unref();
    kept.set(place, { reading, timer });
  };
  return {
    read: async (runId, after, limit) => {
      const earlier = take(`${runId} ${after}`);
      const isStill = earlier !== undefined && (await isAsItWas(ground, runId, earlier));
      const reading = isStill ? earlier : await begin(ground, runId);
      if (reading === undefined) return undefined;
      const page = readPage(reading, after, limit);
      if (page.next !== undefined) keep(`${runId} ${page.next}`, reading);
      return page;
    },
  };
}

/** Nothing has come to the run since it was read, and nobody has deleted it. */
async function isAsItWas({ layouts, logOf }: InspectGround, runId: RunId, { records }: Reading): Promise<boolean> {
  const partition = partitionOf(layouts, runId);
  if (partition === undefined) return false;
  const { event, outcome } = await logOf(partition).positions(runId);
  return Math.max(event, outcome) === records.at(-1)?.sequence;
}

/** Undefined: there is no such run, or somebody has asked for it to be deleted. */
async function begin(ground: InspectGround, runId: RunId): Promise<Reading | undefined> {
  const found = await readRecords(ground, runId);
  if (found === undefined) return undefined;
  const { plan } = found;
  const { state, records } = resume(plan, runId, found.records);
  const isToGo = records.some(isDeleteRequest) && (await readState(ground, runId)) === undefined;
  return isToGo || state.deleting !== undefined ? undefined : { plan, state, records, at: 0 };
}

/** A live run takes no such request. */
function isDeleteRequest({ fact }: LogRecord): boolean {
  return fact.kind === "event" && fact.event.kind?.$case === "deleteRequested";
}

function readPage(reading: Reading, after: number, limit: number): HistoryPage {
  const { plan, state, records } = reading;
  const events: HistoryEvent[] = [];
  let last = after;
  for (let record = records[reading.at]; record !== undefined; record = records[reading.at]) {
    if (events.length >= limit) return { events, next: last };
    const turn = advance(plan, state, record);
    reading.at += 1;
    if (record.sequence <= after) continue;
    events.push(describeEvent(plan, state, record, turn));
    last = record.sequence;
  }
  return { events, next: undefined };
}
