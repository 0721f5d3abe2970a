import type { RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { advanceLock, resumeLock } from "../engine/lock.ts";
import type { LogRecord } from "../engine/record.ts";
import { beginsRun, eventIn } from "./eventIn.ts";
import { toFact } from "./fact.ts";
import { keyPlace } from "./keyPlace.ts";
import type { Ground } from "./ownership.ts";
import type { LogMessage } from "./ports.ts";

/** What deleting needs of an owned partition. */
export type DeletionGround = Pick<
  Ground,
  "partition" | "log" | "keys" | "timers" | "credentials" | "signal" | "isLive" | "archive"
> & {
  readonly timers: Pick<Ground["timers"], "remove" | "runs">;
  readonly payloads: Pick<Ground["payloads"], "remove" | "runs">;
};

/** An ended run as its log was read. */
export interface EndedRun {
  readonly runId: RunId;
  /** Nothing of it lies before, when `start` is known. */
  readonly first: number;
  /** Undefined: it was not met, and may be gone. */
  readonly start: Pick<RunStarted, "workflow" | "key"> | undefined;
  /** Position of its RunEnded. */
  readonly endedAt: number;
  /** Of the last message of it that is to go. */
  readonly last: number;
}

/** Who has what outside of the log. */
export interface Outside {
  readonly hasTimers: (runId: RunId) => boolean;
  readonly hasPayloads: (runId: RunId) => boolean;
}

/** Subjects of a stream that may be listed for each run that is to be deleted: asking for each of them costs about as much. */
const subjectsPerRun = 20;
const subjectsMin = 1_000;

/** Asks once for many runs. What can't be listed may be anybody's. */
export async function findOutside({ partition, timers, payloads }: DeletionGround, runs: number): Promise<Outside> {
  if (runs === 0) return { hasTimers: () => false, hasPayloads: () => false };
  const subjectsMax = Math.max(subjectsMin, subjectsPerRun * runs);
  const [withTimers, withPayloads] = await Promise.all([
    timers.runs(partition, subjectsMax),
    payloads.runs(subjectsMax),
  ]);
  return {
    hasTimers: (runId) => withTimers?.has(runId) !== false,
    hasPayloads: (runId) => withPayloads?.has(runId) !== false,
  };
}

/**
 * Removes an ended run, in an order in which it may stop anywhere and be done again: first `clearRun`, then what is left in the log, ascending, so that at every moment it
 * is the whole run, what a cut leaves of it, or a log without a start, and the end, by which it is found, goes last of what was before it.
 */
export async function deleteRun(ground: DeletionGround, run: EndedRun, outside: Outside): Promise<void> {
  const first = await clearRun(ground, run, outside);
  await unlessLeft(ground, () => ground.log.remove(run.runId, first, run.last));
}

/**
 * Removes what an ended run has outside of the log, once the archive has it, if there is one: its key and its timers. Where it has payloads, its history goes up to the
 * end, which may claim them, and then they. May stop anywhere and be done again. Where the rest of it lies from.
 */
export async function clearRun(ground: DeletionGround, run: EndedRun, outside: Outside): Promise<number> {
  const { archive, log } = ground;
  const { runId, endedAt } = run;
  if (archive !== undefined) await unlessLeft(ground, () => archive(runId));
  const met = run.start === undefined ? await log.firstEvent(runId) : undefined;
  const start = run.start ?? startIn(met);
  const first = run.start === undefined ? Math.min(met?.sequence ?? endedAt, endedAt) : run.first;
  await unlessLeft(ground, () => freeKey(ground, runId, start));
  if (outside.hasTimers(runId)) await unlessLeft(ground, () => ground.timers.remove(ground.partition, runId));
  if (!outside.hasPayloads(runId)) return first;
  if (first < endedAt) await unlessLeft(ground, () => log.remove(runId, first, endedAt - 1));
  await unlessLeft(ground, () => ground.payloads.remove(runId));
  return endedAt;
}

/**
 * Removes an ended run because somebody asked, in an order in which it may stop anywhere and be done again: all of it but the request itself, at
 * `askedAt`, which says that it is deleted until its retention is over; what comes later goes with that.
 */
export async function deleteAsked(ground: DeletionGround, runId: RunId, askedAt: number): Promise<void> {
  const first = await ground.log.firstEvent(runId);
  await unlessLeft(ground, () => freeKey(ground, runId, startIn(first)));
  await unlessLeft(ground, () => ground.timers.remove(ground.partition, runId));
  if (first !== undefined && first.sequence < askedAt)
    await unlessLeft(ground, () => ground.log.remove(runId, first.sequence, askedAt - 1));
  await unlessLeft(ground, () => ground.payloads.remove(runId));
}

/** Removes what there is of a run without a start, as the log's leader says: it was deleted, refused, or void. False: it has one. */
export async function deleteLeftover(
  ground: DeletionGround,
  runId: RunId,
  from: number,
  through: number,
): Promise<boolean> {
  const first = await ground.log.firstEvent(runId);
  if (first !== undefined && beginsRun(first)) return false;
  await unlessLeft(ground, () => freeKey(ground, runId, startIn(first)));
  await unlessLeft(ground, () => ground.timers.remove(ground.partition, runId));
  await unlessLeft(ground, () => ground.payloads.remove(runId));
  await unlessLeft(ground, () => ground.log.remove(runId, Math.min(from, first?.sequence ?? from), through));
  return true;
}

/** Removes the log of a lock that nobody wants, when all of it is that old: without a log it is the same lock. One that can't be read stays. */
export async function deleteLock(ground: DeletionGround, lockId: RunId, upTo: number): Promise<boolean> {
  const { event } = await ground.log.positions(lockId);
  if (event === 0 || event > upTo) return false;
  const messages = await ground.log.load(lockId);
  const records = messages.flatMap((message) => {
    const fact = toFact(message, ground.credentials);
    return fact.kind === "record" ? [fact.record] : [];
  });
  const [first] = messages;
  if (first === undefined || isWanted(records)) return false;
  await unlessLeft(ground, () => ground.log.remove(lockId, first.sequence, event));
  return true;
}

function isWanted(records: readonly LogRecord[]): boolean {
  try {
    const { state, records: rest } = resumeLock(records);
    for (const record of rest) advanceLock(state, record);
    return state.queue.size > 0;
  } catch {
    // Nobody knows.
    return true;
  }
}

/** The record may name another run by now: then it stays. */
async function freeKey(ground: DeletionGround, runId: RunId, start: EndedRun["start"]): Promise<void> {
  const { key, workflow } = start ?? { key: "", workflow: "" };
  if (key === "") return;
  const { bucket, hash } = keyPlace(workflow, key);
  const held = await ground.keys.read(bucket, hash);
  if (held !== undefined && parseRunId(held.record.runId) === runId)
    await ground.keys.free(bucket, hash, held.revision);
}

/** A void start names its key, too. */
function startIn(first: LogMessage | undefined): RunStarted | undefined {
  const kind = first === undefined ? undefined : eventIn(first);
  if (kind?.$case === "snapshot") return kind.value.started;
  return kind?.$case === "runStarted" ? kind.value : undefined;
}

/** Whoever owns the partition next goes on with it. */
export async function unlessLeft(ground: DeletionGround, work: () => Promise<void>): Promise<void> {
  ground.signal.throwIfAborted();
  if (!ground.isLive()) throw new Error("the partition's lease is too old to delete anything");
  await work();
}
