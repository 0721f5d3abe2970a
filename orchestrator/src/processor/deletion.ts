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
> & { readonly payloads: Pick<Ground["payloads"], "remove"> };

/**
 * Removes an ended run once the archive has it, if there is one, in an order in which it may stop anywhere and be done again: its key, its timers, its history up to the end, ascending, so that
 * at every moment it is the whole run, what a cut leaves of it, or a log without a start; its payloads, which the history may claim; the end itself, by
 * which it is found, and what came later, as far as `through`.
 */
export async function deleteRun(ground: DeletionGround, runId: RunId, endedAt: number, through: number): Promise<void> {
  const { archive } = ground;
  if (archive !== undefined) await unlessLeft(ground, () => archive(runId));
  const first = await ground.log.firstEvent(runId);
  await unlessLeft(ground, () => freeKey(ground, runId, first));
  await unlessLeft(ground, () => ground.timers.remove(ground.partition, runId));
  if (first !== undefined && first.sequence < endedAt)
    await unlessLeft(ground, () => ground.log.remove(runId, first.sequence, endedAt - 1));
  await unlessLeft(ground, () => ground.payloads.remove(runId));
  await unlessLeft(ground, () => ground.log.remove(runId, endedAt, through));
}

/**
 * Removes an ended run because somebody asked, in an order in which it may stop anywhere and be done again: all of it but the request itself, at
 * `askedAt`, which says that it is deleted until its retention is over; what comes later goes with that.
 */
export async function deleteAsked(ground: DeletionGround, runId: RunId, askedAt: number): Promise<void> {
  const first = await ground.log.firstEvent(runId);
  await unlessLeft(ground, () => freeKey(ground, runId, first));
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
  await unlessLeft(ground, () => freeKey(ground, runId, first));
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
async function freeKey(ground: DeletionGround, runId: RunId, first: LogMessage | undefined): Promise<void> {
  const { key, workflow } = (first === undefined ? undefined : anyStart(first)) ?? { key: "", workflow: "" };
  if (key === "") return;
  const { bucket, hash } = keyPlace(workflow, key);
  const held = await ground.keys.read(bucket, hash);
  if (held !== undefined && parseRunId(held.record.runId) === runId)
    await ground.keys.free(bucket, hash, held.revision);
}

/** A void start names its key, too. */
function anyStart(first: LogMessage): RunStarted | undefined {
  const kind = eventIn(first);
  if (kind?.$case === "snapshot") return kind.value.started;
  return kind?.$case === "runStarted" ? kind.value : undefined;
}

/** Whoever owns the partition next goes on with it. */
async function unlessLeft(ground: DeletionGround, work: () => Promise<void>): Promise<void> {
  ground.signal.throwIfAborted();
  if (!ground.isLive()) throw new Error("the partition's lease is too old to delete anything");
  await work();
}
