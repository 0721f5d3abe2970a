import type { RunId } from "../../../proto/wire/runId.ts";
import { advance } from "../engine/advance.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import type { LogRecord } from "../engine/record.ts";
import { isMigration, isStart, resume, startIn } from "../engine/snapshot/resume.ts";
import type { RunState } from "../engine/state.ts";
import { deletedRow, rowOf } from "../projection/runRow.ts";
import type { RunRow } from "../projection/runRow.ts";
import { toFact } from "./fact.ts";
import { LostPayload, withPayloads } from "./loading.ts";
import type { LogMessage } from "./ports.ts";
import type { ReprojectGround } from "./reproject.ts";

/** What a stretch of a log comes to. */
export interface RowWindow {
  readonly rows: readonly RunRow[];
  /** All records up to here are in the rows. */
  readonly upTo: number;
  /** When the last of them was stored; undefined: there was none. */
  readonly storedMs: number | undefined;
}

/** Runs as they stand at the end of a stretch, so that the next one goes on from there; bounded. */
export type WindowStates = Map<RunId, { readonly plan: LoadedPlan; readonly state: RunState }>;

const statesMax = 2_000;

/**
 * Rows from the log itself: the runs with records in (after, upTo], as they stand at the end of at most `count` messages. What can't be folded
 * (a corrupt run, a plan that is gone) has no row. Throws when NATS does not answer.
 */
export async function readRowWindow(
  ground: ReprojectGround,
  partition: number,
  window: { readonly after: number; readonly upTo: number; readonly count: number },
  states: WindowStates,
  signal: AbortSignal,
): Promise<RowWindow> {
  const log = ground.logOf(partition);
  const messages = (await log.next(window.after + 1, window.count)).filter(({ sequence }) => sequence <= window.upTo);
  const last = messages.at(-1);
  if (last === undefined) return { rows: [], upTo: window.upTo, storedMs: undefined };
  const rows: RunRow[] = [];
  for (const [runId, records] of byRun(messages, ground)) {
    signal.throwIfAborted();
    const row = await rowAtEnd(ground, partition, runId, records, last.sequence, states);
    if (row !== undefined) rows.push(row);
  }
  for (const oldest of states.keys()) {
    if (states.size <= statesMax) break;
    states.delete(oldest);
  }
  return { rows, upTo: last.sequence, storedMs: last.storedMs };
}

function byRun(messages: readonly LogMessage[], ground: ReprojectGround): ReadonlyMap<RunId, readonly LogRecord[]> {
  const runs = new Map<RunId, LogRecord[]>();
  for (const message of messages) {
    const fact = toFact(message, ground.credentials);
    if (fact.kind !== "record") continue;
    const records = runs.get(fact.runId);
    if (records === undefined) runs.set(fact.runId, [fact.record]);
    else records.push(fact.record);
  }
  return runs;
}

async function rowAtEnd(
  ground: ReprojectGround,
  partition: number,
  runId: RunId,
  inWindow: readonly LogRecord[],
  upTo: number,
  states: WindowStates,
): Promise<RunRow | undefined> {
  const known = inWindow.some(isMigration) ? undefined : states.get(runId);
  // Taken out and put back: what was used last goes last.
  states.delete(runId);
  // From its start on the window has all of a run.
  const isWhole = known !== undefined || inWindow.slice(0, 1).some(isStart);
  const records = isWhole ? inWindow : await loadRecords(ground, partition, runId, upTo);
  const plan = known?.plan ?? (await planOf(ground, records));
  if (plan === undefined) {
    const deletion = records.findLast(isDeletion);
    return deletion === undefined ? undefined : deletedRow(runId, partition, deletion.sequence);
  }
  const whole = await readable(ground.payloads, plan, records);
  try {
    const { state, records: rest } =
      known === undefined ? resume(plan, runId, whole) : { state: known.state, records: whole };
    for (const record of rest) advance(plan, state, record);
    if (state.phase !== "ended" && state.phase !== "void") states.set(runId, { plan, state });
    return rowOf(partition, plan, state);
  } catch {
    // Its owner parks a run whose own fold fails, and says so.
    return undefined;
  }
}

function isDeletion({ fact }: LogRecord): boolean {
  return fact.kind === "event" && fact.event.kind?.$case === "deleteRequested";
}

async function planOf({ plans }: ReprojectGround, records: readonly LogRecord[]): Promise<LoadedPlan | undefined> {
  const started = startIn(records);
  return started === undefined ? undefined : plans.load(started.planHash);
}

async function loadRecords(
  { logOf, credentials }: ReprojectGround,
  partition: number,
  runId: RunId,
  upTo: number,
): Promise<readonly LogRecord[]> {
  const messages = await logOf(partition).load(runId);
  return messages.flatMap((message) => {
    const fact = message.sequence > upTo ? undefined : toFact(message, credentials);
    return fact?.kind === "record" ? [fact.record] : [];
  });
}

/** The records with their payloads; none when these are gone, as then the run can't be folded. */
async function readable(
  payloads: ReprojectGround["payloads"],
  plan: LoadedPlan,
  records: readonly LogRecord[],
): Promise<readonly LogRecord[]> {
  try {
    return await withPayloads(payloads, plan, records);
  } catch (error) {
    if (error instanceof LostPayload) return [];
    throw error;
  }
}
