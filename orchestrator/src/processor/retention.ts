import type { RunEnded } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { isLockId } from "../../../proto/wire/lockId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { pause } from "../../../runtime/src/pause.ts";
import { clearRun, deleteLeftover, deleteLock, deleteRun, findOutside, unlessLeft } from "./deletion.ts";
import type { EndedRun } from "./deletion.ts";
import { openFindings, whoseIs } from "./findings.ts";
import type { Ended, Findings, Found } from "./findings.ts";
import type { Ground } from "./ownership.ts";
import type { LogMessage } from "./ports.ts";

/** Deletes what has ended for long. */
export interface Retention {
  /** Deletes some of what is due, where it is worth to look. True: more of it may be due now. What fails is tried again. Never rejects. */
  sweep(): Promise<boolean>;
  /** Nothing is left to do up to here. */
  position(): number;
}

/** Messages that are looked at at a time. */
const messagesMax = 5_000;
const messagesMin = 500;
/**
 * Positions of a cut, and the part of what is left behind it: each has nats-server write down where all of that stands, and whoever writes into the log waits
 * meanwhile.
 */
const cutMin = 20_000;
const cutPart = 1 / 16;
/** Messages that are left to become due until the next look, where that takes no longer than anybody should wait. */
const lookMessages = 10_000;
const deletionsAtOnce = 16;
/** Runs that are taken, and messages that are met, in one turn of the event loop. */
const turnMax = 64;
const notedMax = 128;
/** Ended runs that wait for the head to be cut; more are deleted one by one. */
const endedMax = 10_000;
/** Others that are remembered. */
const keptMax = 20_000;
/** The log's first message may turn out to be of somebody else than was thought, so often in a row. */
const firstsMax = 8;
const pauseMaxMs = 1_000;
const waitMaxMs = 60_000;
const waitMinMs = 1_000;

/** Ended runs that are kept for the same time. */
export interface Keeping {
  /** 0: for ever. */
  readonly retentionMs: number;
  readonly takes: (end: RunEnded) => boolean;
  /** What has no start is deleted as well; and so may be the whole head of the log. */
  readonly hasLeftovers: boolean;
}

/**
 * Reads the log a second time, as far behind as the retention is long, and deletes each run whose RunEnded it meets. How far it has come is in the lease; a
 * run's RunEnded goes last, so that a deletion that stopped half-way is met and done again. Only what checkpoint and trace have passed, in the
 * lease, is deleted, and only what ended before the time that all other partitions have passed.
 */
export function openRetention(ground: Ground, keeping: Keeping, from: number): Retention {
  return new Sweep(ground, keeping, from);
}

class Sweep implements Retention {
  readonly #ground: Ground;
  readonly #keeping: Keeping;
  readonly #findings: Findings;
  /** Longer than so the next look is not put off, nor a cut of the head; nor, than twice that, what could not go with it. */
  readonly #patienceMs: number;
  #position: number;
  /** Everything up to here has been met. */
  #met: number;
  /** Nothing is in the log up to #met but what #findings has: so up to the first of those that are kept all may go. */
  #isWhole = false;
  /** Runs and locks that were met, and not looked at whether something else than their end says that they go. */
  readonly #doubtful = new Set<RunId>();
  /** Nothing is in the log up to here: the head was cut, or there was nothing when the rest began to be remembered. */
  #cutAt = 0;
  /** An owner's first cut waits for no more: the one before may have died while it waited. */
  #hasCut = false;
  /** Who stood there in front goes on. */
  #pinnedAt = 0;
  /** More may be due than what was met. */
  #isMore = false;
  /** Runs to be deleted wait since then for the head to be cut. */
  #waitingSinceMs = Infinity;
  /** When all that was due had been met, and how many messages have been since. */
  #lookedMs: number;
  #metSince = 0;
  /** How many became due in a millisecond before. */
  #perMs = Infinity;
  #asked = messagesMax;
  #notBeforeMs = 0;

  constructor(ground: Ground, keeping: Keeping, from: number) {
    this.#ground = ground;
    this.#keeping = keeping;
    this.#findings = openFindings(keeping.takes);
    this.#patienceMs = Math.min(keeping.retentionMs / 10, waitMaxMs);
    this.#position = from;
    this.#met = from;
    this.#lookedMs = ground.clock.now();
  }

  position(): number {
    return this.#position;
  }

  async sweep(): Promise<boolean> {
    const { clock, counts, logger, signal, isLive, passedMs } = this.#ground;
    if (this.#keeping.retentionMs === 0 || clock.now() < this.#notBeforeMs || !isLive()) return false;
    // A process that has just started does not know yet: nothing is due then, and to put the next look off for that would leave all to who lives longer.
    if (passedMs() === 0) return false;
    const before = { deletions: counts.deletions, leftovers: counts.leftovers };
    try {
      const isMore = await this.#sweepSome();
      const [runs, leftovers] = [counts.deletions - before.deletions, counts.leftovers - before.leftovers];
      if (runs + leftovers > 0)
        logger.info("deleted what had ended before the retention", { runs, leftovers, upTo: this.#position });
      return isMore;
    } catch (error) {
      if (!signal.aborted) logger.warn("ended runs can't be deleted now", { position: this.#position, error });
      return false;
    }
  }

  async #sweepSome(): Promise<boolean> {
    const { clock, log } = this.#ground;
    const { retentionMs, hasLeftovers } = this.#keeping;
    const durable = this.#ground.durable();
    const untilMs = Math.min(clock.now() - retentionMs, this.#ground.passedMs());
    if (hasLeftovers && !this.#isWhole && (await this.#isHeadFree(untilMs))) {
      this.#findings.clear();
      this.#isWhole = true;
      this.#cutAt = this.#met;
    }
    this.#asked = this.#toAsk();
    // While nothing can be deleted no more is remembered.
    const isFull = this.#findings.runs.size > keptMax + endedMax;
    const messages = durable > this.#met && !isFull ? await log.next(this.#met + 1, this.#asked, "among others") : [];
    const isDue = ({ sequence, storedMs }: LogMessage): boolean => sequence <= durable && storedMs <= untilMs;
    const end = messages.findIndex((message) => !isDue(message));
    const due = end < 0 ? messages : messages.slice(0, end);
    for (const [index, message] of due.entries()) {
      if (index % notedMax === notedMax - 1) await nextTurn();
      const runId = this.#findings.note(message);
      if (hasLeftovers && runId !== undefined) this.#doubtful.add(runId);
    }
    this.#met = due.at(-1)?.sequence ?? this.#met;
    this.#isMore = isFull || (due.length > 0 && due.length === messages.length);
    const begunMs = clock.now();
    await this.#deleteLeftovers();
    await this.#deleteEnded();
    // Others write into the log for as long as that took; reading leaves them that time by itself.
    const tookMs = clock.now() - begunMs;
    if (this.#isMore && tookMs > 0) await pause(Math.min(tookMs, pauseMaxMs), this.#ground.signal);
    // Where all that is due has been looked at, the next ones are left to become many: each look reads some that are not due yet.
    this.#metSince += due.length;
    if (!this.#isMore) this.#lookLater(messages[due.length]);
    return this.#isMore;
  }

  /** As many as are due by now, if they become so as they did: of the others each is read again. */
  #toAsk(): number {
    const expected = (this.#ground.clock.now() - this.#lookedMs) * this.#perMs * 1.1 - this.#metSince;
    const count = expected > 0 ? Math.ceil(expected) : this.#isMore ? 2 * this.#asked : 0;
    return Math.min(Math.max(count, messagesMin), messagesMax);
  }

  /** Not before the first that is not due yet is, and when a good many are. */
  #lookLater(first: LogMessage | undefined): void {
    const nowMs = this.#ground.clock.now();
    this.#perMs = this.#metSince / Math.max(nowMs - this.#lookedMs, 1);
    const manyMs = lookMessages / Math.max(this.#perMs, 1e-9);
    const soonMs = nowMs + Math.min(Math.max(manyMs, waitMinMs), this.#patienceMs);
    this.#lookedMs = nowMs;
    this.#metSince = 0;
    const laterMs = Math.max(soonMs, first === undefined ? 0 : first.storedMs + this.#keeping.retentionMs);
    // Then the head is cut, or what could not go with it is deleted one by one.
    const waitMs = (this.#waitedMs() < this.#patienceMs ? 1 : 2) * this.#patienceMs;
    this.#notBeforeMs = Math.min(laterMs, this.#waitingSinceMs + waitMs);
  }

  /** Nothing is left of what has been met. Only a run that goes on, a lock, or what nobody knows stands in front of it for long; nobody meets the rest again. */
  async #isHeadFree(untilMs: number): Promise<boolean> {
    const { log } = this.#ground;
    for (let tries = 0; tries < firstsMax; tries++) {
      const head = await log.head();
      if (head > this.#met) return true;
      if (head === this.#pinnedAt) return false;
      const [first] = await log.next(head, 1);
      if (first?.sequence !== head || first.storedMs > untilMs) return false;
      if (!(await this.#freeHead(first))) {
        this.#pinnedAt = head;
        return false;
      }
    }
    return false;
  }

  /** Removes the log's first message, if nobody needs it; and with it what there is of a run without start. */
  async #freeHead({ subject, sequence }: LogMessage): Promise<boolean> {
    const ground = this.#ground;
    const { log, signal } = ground;
    const runId = whoseIs(subject);
    if (runId === "unknown") return false;
    if (runId === "owner") await unlessLeft(ground, () => log.keepOwner(sequence, signal));
    if (runId === "owner" || runId === "nobody") {
      await unlessLeft(ground, () => log.cutHead(sequence));
      return true;
    }
    const isGone = isLockId(runId)
      ? await deleteLock(ground, runId, this.#met)
      : await deleteLeftover(ground, runId, sequence, this.#met);
    if (isGone) ground.counts.leftovers++;
    return isGone;
  }

  /** What has no start, and locks that nobody wants. */
  async #deleteLeftovers(): Promise<void> {
    const ground = this.#ground;
    const { runs } = this.#findings;
    const toAsk: (readonly [RunId, Found])[] = [];
    for (const runId of this.#doubtful) {
      const found = runs.get(runId);
      if (found !== undefined && !found.isBegun && found.endedAt === undefined) toAsk.push([runId, found]);
      else this.#doubtful.delete(runId);
    }
    await inParallel(toAsk, async ([runId, found]) => {
      const isGone = isLockId(runId)
        ? await deleteLock(ground, runId, this.#met)
        : await deleteLeftover(ground, runId, found.first, this.#met);
      if (isGone) runs.delete(runId);
      if (isGone) ground.counts.leftovers++;
      else if (!isLockId(runId)) found.isBegun = true;
      this.#doubtful.delete(runId);
    });
  }

  async #deleteEnded(): Promise<void> {
    if (this.#isWhole) await this.#cutHead();
    const ended = this.#findings.ended();
    if (this.#mayWait(ended.length)) {
      this.#waitingSinceMs = Math.min(this.#waitingSinceMs, this.#ground.clock.now());
      return;
    }
    await this.#deleteEach(ended);
    const first = this.#findings.firstKept();
    if (first !== undefined && ended.length > 0) first[1].isLong = true;
    this.#waitingSinceMs = Infinity;
    this.#position = this.#met;
    this.#forgetSome();
  }

  #mayWait(ended: number): boolean {
    const kept = this.#findings.runs.size - ended;
    if (!this.#isWhole || ended === 0 || ended > endedMax || kept > keptMax) return false;
    const first = this.#findings.firstKept()?.[1];
    if (first?.isLong === true || this.#findings.unknownAt() < (first?.first ?? Infinity)) return false;
    return this.#isMore || this.#waitedMs() < 2 * this.#patienceMs;
  }

  /** How long what is to be deleted has been waiting for a cut, which counts from the last one; less than nothing: it has not been met before. */
  #waitedMs(): number {
    return this.#ground.clock.now() - this.#waitingSinceMs;
  }

  /** Positions for which the head is cut before what is due has waited. */
  #worthOf(upTo: number): number {
    return Math.max(cutMin, (this.#ground.durable() - upTo) * cutPart);
  }

  /** Removes all that lies before the first of those that are kept, when anybody's end does; who that is the leader says, before anything is deleted one by one. */
  async #cutHead(): Promise<void> {
    for (let tries = 0; tries < firstsMax; tries++) {
      const { runs } = this.#findings;
      const [runId, kept] = this.#findings.firstKept() ?? [];
      const upTo = Math.min(this.#met, (kept?.first ?? Infinity) - 1, this.#findings.unknownAt() - 1);
      const ended = this.#findings.ended();
      const isMany = upTo - this.#cutAt >= this.#worthOf(upTo) || 2 * ended.length > endedMax;
      const isWorth = isMany || (!this.#isMore && (!this.#hasCut || this.#waitedMs() >= this.#patienceMs));
      if (isWorth && upTo > this.#cutAt && ended.some(([, { endedAt }]) => endedAt <= upTo))
        await this.#cut(upTo, ended);
      const left = this.#findings.ended().length;
      if (runId === undefined || kept === undefined || left === 0 || !this.#isWhole || this.#mayWait(left)) return;
      const first = await this.#ground.log.firstOf(runId);
      if (first === undefined) runs.delete(runId);
      else if (first === kept.first) return;
      else {
        // What begins there may be no more than what came when it was gone.
        kept.first = first;
        kept.isBegun = false;
        this.#doubtful.add(runId);
        await this.#deleteLeftovers();
      }
    }
  }

  /** A log that was lost and began anew has others at these positions; one that an older state has come back of, too. */
  async #isSameLog(): Promise<boolean> {
    const { log, logger } = this.#ground;
    const [head, { lastSequence }] = await Promise.all([log.head(), log.end()]);
    if (head > this.#cutAt && lastSequence >= this.#met) return true;
    logger.error("the log is not the one that was read: its head is not cut", { head, lastSequence, met: this.#met });
    return false;
  }

  async #cut(upTo: number, ended: readonly (readonly [RunId, Ended])[]): Promise<void> {
    const ground = this.#ground;
    const { log, counts, clock, signal } = ground;
    this.#isWhole = await this.#isSameLog();
    if (!this.#isWhole) return;
    const going = ended.filter(([, { first, isCleared }]) => first <= upTo && !isCleared);
    const outside = await findOutside(ground, going.length);
    await inParallel(going, async ([runId, found]) => {
      await clearRun(ground, toEndedRun(runId, found), outside);
      found.isCleared = true;
    });
    const ownerAt = this.#findings.ownerAt();
    if (ownerAt > this.#cutAt && ownerAt <= upTo) await unlessLeft(ground, () => log.keepOwner(upTo, signal));
    await unlessLeft(ground, () => log.cutHead(upTo));
    for (const [runId, found] of ended) {
      if (found.endedAt <= upTo && found.endedAt > this.#cutAt) counts.deletions++;
      if (found.last <= upTo) this.#findings.runs.delete(runId);
      else found.first = Math.max(found.first, upTo + 1);
    }
    this.#cutAt = upTo;
    this.#hasCut = true;
    this.#position = Math.max(this.#position, upTo);
    this.#waitingSinceMs = clock.now();
  }

  async #deleteEach(ended: readonly (readonly [RunId, Ended])[]): Promise<void> {
    const ground = this.#ground;
    const outside = await findOutside(ground, ended.filter(([, { isCleared }]) => !isCleared).length);
    await inParallel(ended, async ([runId, found]) => {
      if (!found.isCleared) await deleteRun(ground, toEndedRun(runId, found), outside);
      else await unlessLeft(ground, () => ground.log.remove(runId, found.first, found.last));
      this.#findings.runs.delete(runId);
      if (found.endedAt > this.#cutAt) ground.counts.deletions++;
    });
  }

  /** The oldest: they are found again, and asked about, by what is met of them. */
  #forgetSome(): void {
    const { runs } = this.#findings;
    for (const [runId] of runs) {
      if (runs.size <= keptMax) return;
      runs.delete(runId);
      this.#isWhole = false;
    }
  }
}

function toEndedRun(runId: RunId, { first, last, start, endedAt }: Ended): EndedRun {
  return { runId, first, last, start, endedAt };
}

/**
 * Some at a time, none any more when as many have failed. Nothing of it may go on into the next sweep. Where nobody has to be asked for them, all else has its
 * turn between two portions.
 */
async function inParallel<T extends object>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const failures: unknown[] = [];
  let next = 0;
  let turn = Promise.resolve();
  const workOn = async (): Promise<void> => {
    while (failures.length < deletionsAtOnce) {
      await turn;
      const one = all[next++];
      if (one === undefined) return;
      if (next % turnMax === 0) turn = nextTurn();
      await work(one).catch((error: unknown) => void failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: deletionsAtOnce }, workOn));
  if (failures.length > 0) throw failures[0];
}

/** All else has its turn. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
