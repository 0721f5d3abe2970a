import type { RunEnded } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { isLockId } from "../../../proto/wire/lockId.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { parseLogSubject } from "../../../proto/wire/subjects.ts";
import { deleteLeftover, deleteLock, deleteRun } from "./deletion.ts";
import { beginsRun, eventIn } from "./eventIn.ts";
import { openGate } from "../../../runtime/src/gate.ts";
import type { Ground } from "./ownership.ts";
import type { LogMessage } from "./ports.ts";

/** Deletes what has ended for long. */
export interface Retention {
  /** Deletes some of what is due, where it is worth to look. What fails is tried again. Never rejects. */
  sweep(): Promise<void>;
  /** Nothing is left to do up to here. */
  position(): number;
}

/** Messages that a sweep looks at. */
const messagesMax = 5_000;
const deletionsAtOnce = 16;

/** What a sweep has found of one id, and where. */
interface Found {
  readonly first: number;
  hasStart: boolean;
  end: { readonly sequence: number; readonly ended: RunEnded } | undefined;
}

/** Ended runs that are kept for the same time. */
export interface Keeping {
  /** 0: for ever. */
  readonly retentionMs: number;
  readonly takes: (end: RunEnded) => boolean;
  /** What has no start is deleted as well. */
  readonly hasLeftovers: boolean;
}

/**
 * Reads the log a second time, as far behind as the retention is long, and deletes each run whose RunEnded it meets. How far it has come is in the lease; a
 * run's RunEnded goes last, so that a deletion that stopped half-way is met and done again. Only what checkpoint and trace have passed, in the
 * lease, is deleted, and only what ended before the time that all other partitions have passed.
 */
export function openRetention(ground: Ground, keeping: Keeping, from: number): Retention {
  const { bounds, clock, counts, logger } = ground;
  const { retentionMs } = keeping;
  let position = from;
  let notBeforeMs = 0;

  const sweepSome = async (): Promise<void> => {
    const durable = ground.durable();
    const untilMs = Math.min(clock.now() - retentionMs, ground.passedMs());
    const messages = durable > position ? await ground.log.next(position + 1, messagesMax) : [];
    const { due, isMore } = takeDue(messages, durable, untilMs, bounds.deletionsMax);
    const before = { deletions: counts.deletions, leftovers: counts.leftovers };
    const upTo = due.at(-1)?.sequence ?? position;
    await deleteAll(ground, keeping, due, durable, upTo);
    position = upTo;
    // Where all that is due has been looked at, the next ones are left to become many: each look reads some that are not due yet.
    if (!isMore) notBeforeMs = nextLookMs(ground, retentionMs, messages[due.length]);
    const [runs, leftovers] = [counts.deletions - before.deletions, counts.leftovers - before.leftovers];
    if (runs + leftovers > 0)
      logger.info("deleted what had ended before the retention", { runs, leftovers, upTo: position });
  };

  return {
    sweep: async () => {
      if (retentionMs === 0 || clock.now() < notBeforeMs || !ground.isLive()) return;
      try {
        await sweepSome();
      } catch (error) {
        if (!ground.signal.aborted) logger.warn("ended runs can't be deleted now", { position, error });
      }
    },
    position: () => position,
  };
}

/** When it is worth to look again: not before the first that is not due yet is, and not soon. */
function nextLookMs({ clock }: Ground, retentionMs: number, first: LogMessage | undefined): number {
  const soonMs = clock.now() + Math.min(retentionMs / 10, 60_000);
  // What is stored from now on is due later still.
  return Math.max(soonMs, first === undefined ? 0 : first.storedMs + retentionMs);
}

/** The first of the messages: those that are old enough, with no more ends than may be deleted at a time. `isMore`: others may be due as well. */
function takeDue(
  messages: readonly LogMessage[],
  durable: number,
  untilMs: number,
  endsMax: number,
): { readonly due: readonly LogMessage[]; readonly isMore: boolean } {
  let ends = 0;
  for (const [at, message] of messages.entries()) {
    if (message.sequence > durable || message.storedMs > untilMs) return { due: messages.slice(0, at), isMore: false };
    if (ends >= endsMax) return { due: messages.slice(0, at), isMore: true };
    if (isEnd(message)) ends++;
  }
  return { due: messages, isMore: messages.length > 0 };
}

async function deleteAll(
  ground: Ground,
  keeping: Keeping,
  due: readonly LogMessage[],
  durable: number,
  upTo: number,
): Promise<void> {
  const gate = openGate(deletionsAtOnce);
  const works = [...findAll(due)].map(([runId, found]) =>
    gate(() => deleteOne(ground, keeping, runId, found, durable, upTo)),
  );
  // Nothing of this sweep may go on into the next.
  const failed = (await Promise.allSettled(works)).find(({ status }) => status === "rejected");
  if (failed?.status === "rejected") throw failed.reason;
}

async function deleteOne(
  ground: Ground,
  { takes, hasLeftovers }: Keeping,
  runId: RunId,
  { first, end, hasStart }: Found,
  durable: number,
  upTo: number,
): Promise<void> {
  if (isLockId(runId)) {
    if (hasLeftovers && (await deleteLock(ground, runId, upTo))) ground.counts.leftovers++;
  } else if (end !== undefined) {
    if (!takes(end.ended)) return;
    await deleteRun(ground, runId, end.sequence, durable);
    ground.counts.deletions++;
  } else if (hasLeftovers && !hasStart && (await deleteLeftover(ground, runId, first, upTo))) ground.counts.leftovers++;
}

function findAll(messages: readonly LogMessage[]): ReadonlyMap<RunId, Found> {
  const runs = new Map<RunId, Found>();
  for (const message of messages) {
    const place = parseLogSubject(message.subject);
    const runId = place === undefined ? undefined : parseRunId(place.runId);
    if (place === undefined || runId === undefined) continue;
    const found = runs.get(runId) ?? { first: message.sequence, hasStart: false, end: undefined };
    runs.set(runId, found);
    if (place.kind !== "e") continue;
    const ended = endIn(message);
    if (ended !== undefined) found.end = { sequence: message.sequence, ended };
    else if (!found.hasStart) found.hasStart = beginsRun(message);
  }
  return runs;
}

function isEnd(message: LogMessage): boolean {
  return endIn(message) !== undefined;
}

function endIn(message: LogMessage): RunEnded | undefined {
  const kind = message.subject.endsWith(".e") ? eventIn(message) : undefined;
  return kind?.$case === "runEnded" ? kind.value : undefined;
}
