import type { RunId } from "../../../proto/wire/runId.ts";
import { advance } from "../engine/advance.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import type { LogRecord } from "../engine/record.ts";
import { isStart, resume, startIn } from "../engine/snapshot/resume.ts";
import type { RunState } from "../engine/state.ts";
import type { Transition } from "../engine/transition.ts";
import type { RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Span } from "../projection/span.ts";
import { isSampled, spansOfTurn } from "../projection/spans.ts";
import type { Credentials } from "./credentials.ts";
import { sha256 } from "./credentials.ts";
import { toFact } from "./fact.ts";
import { LostPayload, withPayloads } from "./loading.ts";
import type { LogMessage, LogReader, PartitionLog, Payloads, Plans } from "./ports.ts";
import type { Reproject } from "./spanExport.ts";
import type { Gap } from "./spanQueue.ts";

/** What reading a log again needs; whoever owns the partition is left alone. */
export interface ReprojectGround {
  readonly logOf: (partition: number) => PartitionLog;
  readonly plans: Plans;
  readonly payloads: Pick<Payloads, "get">;
  readonly credentials: Credentials;
}

/** What is told of a turn. */
export interface Telling<T> {
  /** Whether anything is told of a run that started so. */
  readonly isWanted: (started: RunStarted) => boolean;
  readonly ofTurn: (state: RunState, sequence: number, transitions: readonly Transition[]) => readonly T[];
}

/** Of sampled runs their spans. */
export const spansTold: Telling<Span> = {
  isWanted: isSampled,
  ofTurn: (state, _, transitions) => spansOfTurn(state, transitions, sha256),
};

/**
 * What is told of turns, from the log itself: the runs with records in the window are folded once more, from their start, in states of their own. Of what
 * can't be folded (a corrupt run, a plan that is gone) nothing is told. Throws when NATS does not answer.
 */
export function toReproject<T>(ground: ReprojectGround, telling: Telling<T>): Reproject<T> {
  return async (partition, window, signal) => {
    const log = ground.logOf(partition);
    const runs = await readWindow(log, window, ground.credentials, signal);
    const told: T[] = [];
    for (const [runId, records] of runs) {
      signal.throwIfAborted();
      // From its start on the window has all of a run.
      const all = !records.slice(0, 1).some(isStart)
        ? await loadRecords(log, runId, window, ground.credentials)
        : records;
      told.push(...(await toldInWindow(ground, telling, runId, all, window)));
    }
    return told;
  };
}

async function toldInWindow<T>(
  { payloads, plans }: ReprojectGround,
  { isWanted, ofTurn }: Telling<T>,
  runId: RunId,
  records: readonly LogRecord[],
  window: Gap,
): Promise<readonly T[]> {
  const started = startIn(records);
  if (started === undefined || !isWanted(started)) return [];
  const plan = await plans.load(started.planHash);
  if (plan === undefined) return [];
  const told: T[] = [];
  try {
    const { state, records: rest } = resume(plan, runId, records, window.after);
    for (const record of await readable(payloads, plan, rest)) {
      const { transitions } = advance(plan, state, record);
      if (record.sequence > window.after) told.push(...ofTurn(state, record.sequence, transitions));
    }
  } catch {
    // Its owner parks a run whose own fold fails, and says so.
  }
  return told;
}

/** The records with their payloads, as far as these are there. */
async function readable(
  payloads: ReprojectGround["payloads"],
  plan: LoadedPlan,
  records: readonly LogRecord[],
): Promise<readonly LogRecord[]> {
  try {
    return await withPayloads(payloads, plan, records);
  } catch (error) {
    // Its owner parks such a run, and says so.
    if (error instanceof LostPayload) return [];
    throw error;
  }
}

async function loadRecords(
  log: PartitionLog,
  runId: RunId,
  window: Gap,
  credentials: Credentials,
): Promise<readonly LogRecord[]> {
  const messages = await log.load(runId);
  return messages
    .filter(({ sequence }) => sequence <= window.upTo)
    .flatMap((message) => recordOf(message, credentials) ?? []);
}

const roomMax = 4_000;

/** The records of a window by run, each run's in order. */
async function readWindow(
  log: PartitionLog,
  window: Gap,
  credentials: Credentials,
  signal: AbortSignal,
): Promise<ReadonlyMap<RunId, readonly LogRecord[]>> {
  const runs = new Map<RunId, LogRecord[]>();
  const end = await log.end();
  const upTo = Math.min(window.upTo, end.lastSequence);
  if (upTo <= window.after) return runs;
  const done = Promise.withResolvers<void>();
  const stop = (): void => done.reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  let reader: LogReader | undefined;
  try {
    reader = log.read({
      from: window.after + 1,
      room: () => roomMax,
      onMessage: (message) => {
        if (message.sequence <= upTo) keep(runs, message, credentials);
        if (message.sequence >= upTo) done.resolve();
      },
    });
    await done.promise;
  } finally {
    signal.removeEventListener("abort", stop);
    reader?.[Symbol.dispose]();
  }
  return runs;
}

function keep(runs: Map<RunId, LogRecord[]>, message: LogMessage, credentials: Credentials): void {
  const fact = toFact(message, credentials);
  if (fact.kind !== "record") return;
  const records = runs.get(fact.runId);
  if (records === undefined) runs.set(fact.runId, [fact.record]);
  else records.push(fact.record);
}

function recordOf(message: LogMessage, credentials: Credentials): LogRecord | undefined {
  const fact = toFact(message, credentials);
  return fact.kind === "record" ? fact.record : undefined;
}
