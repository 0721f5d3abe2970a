import { Buffer } from "node:buffer";
import type { RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { isLockId } from "../../../proto/wire/lockId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { payloadToLoad } from "../engine/payload.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import { resumeLock } from "../engine/lock.ts";
import type { LogRecord } from "../engine/record.ts";
import { isMigration, isStart, resume, startIn } from "../engine/snapshot/resume.ts";
import { openEndedRuns } from "./endedRuns.ts";
import { toFact } from "./fact.ts";
import { Outdated } from "./outdated.ts";
import { loadPayload, LostPayload, withPayloads } from "./loading.ts";
import { openGate } from "../../../runtime/src/gate.ts";
import type { Gate } from "../../../runtime/src/gate.ts";
import { returnLock } from "./locks.ts";
import type { Ownership } from "./ownership.ts";
import type { LogMessage } from "./ports.ts";
import { untilRead } from "./reading.ts";
import { atHandOf, isEvictable, toResidentRun } from "./residentRun.ts";
import type { ResidentRun } from "./residentRun.ts";
import { live, park, replay, takeTurn } from "./turn.ts";

const touchEveryMs = 1000;

/** What the loop around them knows. */
export interface ResidentsOptions {
  /** Sequence behind the last message that the loop was given. */
  readonly position: () => number;
  /** Called once a run has taken what came. */
  readonly afterTurn: (run: ResidentRun) => void;
}

/** The runs of a partition that are in memory: loaded on demand, dropped when idle. */
export class Residents {
  readonly #owner: Ownership;
  readonly #options: ResidentsOptions;
  /** Least recently touched first. */
  readonly #runs = new Map<RunId, ResidentRun>();
  readonly #plans = new Map<string, LoadedPlan>();
  readonly #loads: Gate;
  readonly #ended = openEndedRuns();
  #waitingBytes = 0;

  constructor(owner: Ownership, options: ResidentsOptions) {
    this.#owner = owner;
    this.#options = options;
    this.#loads = openGate(owner.bounds.loadsMax);
  }

  get(runId: RunId): ResidentRun | undefined {
    return this.#runs.get(runId);
  }

  all(): Iterable<ResidentRun> {
    return this.#runs.values();
  }

  /** Of records that wait for a load, or for their turn. */
  waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Puts a run in that a takeover has folded. */
  adopt(run: ResidentRun): void {
    this.#runs.set(run.runId, run);
  }

  /**
   * Gives a record to its run: at once when the run is ready, else once it is loaded. Timers may come by the thousand in one moment, so what is due
   * is taken in portions, behind what else has come.
   */
  deliver(runId: RunId, record: LogRecord, sizeBytes: number): void {
    const known = this.#runs.get(runId);
    if (known !== undefined) {
      this.#touch(known);
      this.#deliverTo(known, record, sizeBytes);
      return;
    }
    const run = this.#open(runId);
    if (isDue(record)) {
      this.#keepWaiting(run, record, sizeBytes);
      this.#takeLater(run);
      return;
    }
    const started = isStart(record) ? startIn([record]) : undefined;
    const plan = started === undefined ? undefined : this.#plans.get(planName(started));
    if (plan === undefined) {
      this.#keepWaiting(run, record, sizeBytes);
      this.#load(run).catch(this.#owner.fail);
      return;
    }
    begin(this.#owner, run, plan, []);
    this.#take(run, record, sizeBytes);
  }

  /** Garbage on a run's subject. */
  deliverGarbage(runId: RunId, sequence: number, isEvent: boolean): void {
    const run = this.#runs.get(runId);
    if (run === undefined) return;
    see(run, sequence, isEvent);
    this.#options.afterTurn(run);
  }

  /** The run, loaded if need be; it may turn out an orphan. */
  async ensure(runId: RunId): Promise<ResidentRun> {
    const known = this.#runs.get(runId);
    if (known !== undefined) void this.#takeDue(known);
    if (known !== undefined && known.phase !== "loading") {
      this.#touch(known);
      return known;
    }
    const run = known ?? this.#open(runId);
    const done = Promise.withResolvers<void>();
    (run.watchers ??= []).push({ sequence: 0, resolve: done.resolve });
    if (known === undefined) this.#load(run).catch(this.#owner.fail);
    await done.promise;
    return run;
  }

  /** The plan that a run is pinned to. */
  async planOf(started: RunStarted): Promise<LoadedPlan | undefined> {
    const name = planName(started);
    const known = this.#plans.get(name);
    if (known !== undefined) return known;
    const loaded = await untilRead(this.#owner, "a plan", () => this.#owner.plans.load(started.planHash));
    if (loaded !== undefined) this.#plans.set(name, loaded);
    return loaded;
  }

  /** Drops runs without news for long. */
  sweep(): void {
    const { bounds, counts, now } = this.#owner;
    const nowMs = now();
    const youngestMs = Math.min(bounds.endedIdleMs, bounds.idleMs);
    let excess = this.#runs.size - bounds.residentsMax;
    for (const run of this.#runs.values()) {
      const ageMs = nowMs - run.touchedMs;
      const isIdle = ageMs > (run.state?.ended === undefined ? bounds.idleMs : bounds.endedIdleMs);
      if (!isIdle && excess <= 0 && ageMs < youngestMs) break;
      if (!isEvictable(run) || (!isIdle && excess <= 0)) continue;
      this.#runs.delete(run.runId);
      counts.evictions++;
      excess--;
    }
  }

  /** Drops runs that have ended here. */
  sweepEnded(): void {
    const { bounds, counts, now } = this.#owner;
    for (const run of this.#ended.take(now() - bounds.endedIdleMs))
      if (this.#runs.get(run.runId) === run && this.#runs.delete(run.runId)) counts.evictions++;
  }

  #open(runId: RunId): ResidentRun {
    const run = toResidentRun(runId, this.#owner.now());
    this.#runs.set(runId, run);
    return run;
  }

  #touch(run: ResidentRun): void {
    const nowMs = this.#owner.now();
    if (nowMs - run.touchedMs < touchEveryMs) return;
    run.touchedMs = nowMs;
    this.#runs.delete(run.runId);
    this.#runs.set(run.runId, run);
  }

  #deliverTo(run: ResidentRun, record: LogRecord, sizeBytes: number): void {
    const isPatient = isDue(record);
    if (run.phase !== "loading" && run.mailbox.length === 0 && !isPatient) {
      this.#take(run, record, sizeBytes);
      return;
    }
    this.#keepWaiting(run, record, sizeBytes);
    if (!isPatient) void this.#takeDue(run);
    else if (run.phase !== "loading" && run.mailbox.length === 1) this.#takeLater(run);
  }

  #takeLater(run: ResidentRun): void {
    run.isDue = true;
    this.#owner.portions.add(() => this.#takeDue(run));
  }

  /** Loads the run, or takes its mailbox, if that has not been done in the meantime because something urgent came. */
  #takeDue(run: ResidentRun): Promise<void> | undefined {
    if (!run.isDue || this.#owner.signal.aborted) return undefined;
    run.isDue = false;
    if (run.phase === "loading") return this.#load(run).catch(this.#owner.fail);
    this.#drain(run);
    return undefined;
  }

  #take(run: ResidentRun, record: LogRecord, sizeBytes: number): void {
    see(run, record.sequence, record.fact.kind === "event");
    if (run.phase === "ready" && isMigration(record) && record.sequence > run.plannedThrough) {
      // All of it is folded by the other plan; what is on its way in its name goes on.
      this.#keepWaiting(run, record, sizeBytes);
      Object.assign(run, { phase: "loading", state: undefined, plan: undefined, folded: 0 });
      this.#load(run).catch(this.#owner.fail);
      return;
    }
    if (run.phase === "ready" && run.plan !== undefined && payloadToLoad(run.plan, record) !== undefined) {
      this.#keepWaiting(run, record, sizeBytes);
      run.phase = "loading";
      this.#loadPayload(run, run.plan, record).catch(this.#owner.fail);
      return;
    }
    if (run.phase === "ready") {
      const wasOver = run.state?.ended !== undefined;
      takeTurn(this.#owner, run, record, live);
      if (!wasOver && run.state?.ended !== undefined) this.#ended.note(run, this.#owner.now());
    } else if (run.phase === "orphan") {
      this.#owner.counts.orphans++;
      returnLock(this.#owner, run, record, record.sequence);
    }
    this.#options.afterTurn(run);
  }

  #keepWaiting(run: ResidentRun, record: LogRecord, sizeBytes: number): void {
    run.mailbox.push({ record, sizeBytes });
    this.#owner.unfinished.hold(record.sequence);
    this.#waitingBytes += sizeBytes;
  }

  #drain(run: ResidentRun): void {
    const waiting = run.mailbox;
    run.mailbox = [];
    for (const one of waiting) {
      const { record, sizeBytes } = one;
      if (run.phase === "loading") {
        // One before it waits for its payload.
        run.mailbox.push(one);
        continue;
      }
      this.#take(run, record, sizeBytes);
      this.#owner.unfinished.release(record.sequence);
      this.#waitingBytes -= sizeBytes;
    }
    if (waiting.length === 0) this.#options.afterTurn(run);
    this.#owner.roomAgain();
  }

  /** Loads what the first record of the mailbox claims, then takes the mailbox. */
  async #loadPayload(run: ResidentRun, plan: LoadedPlan, record: LogRecord): Promise<void> {
    const owner = this.#owner;
    try {
      const loaded = await untilRead(owner, "a payload", () => loadPayload(owner.payloads, plan, record));
      run.mailbox[0] = { record: loaded, sizeBytes: run.mailbox[0]?.sizeBytes ?? 0 };
      run.phase = "ready";
    } catch (error) {
      if (!(error instanceof LostPayload)) throw error;
      park(owner, run, record.sequence, error);
    }
    this.#drain(run);
  }

  /** Makes a run ready and answers what is to be folded then; what comes meanwhile waits. */
  async #resume(run: ResidentRun, plan: LoadedPlan, records: readonly LogRecord[]): Promise<readonly LogRecord[]> {
    const rest = begin(this.#owner, run, plan, records);
    if (run.phase !== "ready") return [];
    run.phase = "loading";
    const loaded = await payloadsOf(this.#owner, run, plan, rest);
    if (loaded === undefined) return [];
    run.phase = "ready";
    return loaded;
  }

  /** Loads what came before the mailbox, then takes the mailbox. */
  async #load(run: ResidentRun): Promise<void> {
    const owner = this.#owner;
    const isNew = run.mailbox.slice(0, 1).some(({ record }) => isStart(record));
    const messages = isNew ? [] : await this.#loads(() => loadRun(owner, run));
    const bound = run.mailbox[0]?.record.sequence ?? this.#options.position();
    const records = messages
      .filter(({ sequence }) => sequence < bound)
      .flatMap((message) => recordOf(owner, run, message));
    const all = [...records, ...run.mailbox.map(({ record }) => record)];
    const started = startIn(all);
    run.plannedThrough = all.findLast(isMigration)?.sequence ?? 0;
    const plan = started === undefined ? undefined : await this.planOf(started);
    if (isLockId(run.runId)) {
      for (const record of beginLock(owner, run, records)) takeTurn(owner, run, record, replay);
    } else if (started === undefined) {
      run.phase = "orphan";
      run.isDeleted = records.some(isDeletion);
    } else if (plan === undefined) {
      park(owner, run, bound, missingPlan(started));
    } else {
      for (const record of await this.#resume(run, plan, records)) takeTurn(owner, run, record, replay);
    }
    this.#drain(run);
    // Nothing is known of it: what comes later may be its start.
    if (run.phase === "orphan") this.#runs.delete(run.runId);
  }
}

/**
 * Makes a run ready, on its last Snapshot among these records if there is one that was stored up to `upTo`, and answers what is to be folded
 * then. A snapshot that can't be read parks the run as corrupt.
 */
export function begin(
  owner: Ownership,
  run: ResidentRun,
  plan: LoadedPlan,
  records: readonly LogRecord[],
  upTo?: number,
): readonly LogRecord[] {
  try {
    const resumed = resume(plan, run.runId, records, upTo);
    run.state = resumed.state;
    run.plan = plan;
    run.phase = "ready";
    run.cutThrough = (records[0]?.sequence ?? 1) - 1;
    return resumed.records;
  } catch (error) {
    park(owner, run, records.at(-1)?.sequence ?? 0, error);
    return [];
  }
}

/** Makes a lock ready, on its last Snapshot as a run is, and answers what is to be folded then. It is parked as a run is. */
export function beginLock(owner: Ownership, run: ResidentRun, records: readonly LogRecord[]): readonly LogRecord[] {
  try {
    const resumed = resumeLock(records);
    run.lock = resumed.state;
    run.phase = "ready";
    run.cutThrough = (records[0]?.sequence ?? 1) - 1;
    return resumed.records;
  } catch (error) {
    park(owner, run, records.at(-1)?.sequence ?? 0, error);
    return [];
  }
}

/** It is not in memory, or is being loaded and may turn out to be none. */
export function isUnsure(run: ResidentRun | undefined): boolean {
  return run === undefined || run.phase === "loading";
}

/** Remembers that a message of the run has come. */
export function see(run: ResidentRun, sequence: number, isEvent: boolean): void {
  if (sequence > run.seen) run.seen = sequence;
  if (isEvent && sequence > run.seenEvent) run.seenEvent = sequence;
}

/** All messages of a run, but maybe those in its mailbox; tried until NATS answers. Throws once the partition is left. */
export async function loadRun(owner: Ownership, run: ResidentRun): Promise<readonly LogMessage[]> {
  owner.counts.loads++;
  return untilRead(owner, "a run", () => owner.log.load(run.runId, atHandOf(run)));
}

/** The records with their payloads; undefined, and the run is parked, when one is lost. Tried until NATS answers. */
export async function payloadsOf(
  owner: Ownership,
  run: ResidentRun,
  plan: LoadedPlan,
  records: readonly LogRecord[],
): Promise<readonly LogRecord[] | undefined> {
  try {
    return await untilRead(owner, "payloads", () => withPayloads(owner.payloads, plan, records));
  } catch (error) {
    if (!(error instanceof LostPayload)) throw error;
    park(owner, run, records[0]?.sequence ?? 0, error);
    return undefined;
  }
}

/** The record that a message of a run is, if it is one; garbage is remembered as seen. Throws Outdated. */
export function recordOf(owner: Ownership, run: ResidentRun, message: LogMessage): readonly LogRecord[] {
  const fact = toFact(message, owner.credentials);
  // Left out, the run would be another one, or none, and the checkpoint would pass what is to be done for it.
  if (fact.kind === "newer") throw new Outdated(fact.needs, message.sequence);
  see(run, message.sequence, message.subject.endsWith(".e"));
  return fact.kind === "record" ? [fact.record] : [];
}

/** Why a run can't be folded whose plan is gone. */
export function missingPlan(started: RunStarted): Error {
  return new Error(`the definitions have no plan ${Buffer.from(started.planHash).toString("hex")}`);
}

/** Was it written because its time had come? */
function isDue({ fact }: LogRecord): boolean {
  if (fact.kind !== "event") return false;
  const kind = fact.event.kind?.$case;
  return kind === "timerFired" || kind === "attemptExpired";
}

function planName(started: RunStarted): string {
  return Buffer.from(started.planHash).toString("latin1");
}

function isDeletion({ fact }: LogRecord): boolean {
  return fact.kind === "event" && fact.event.kind?.$case === "deleteRequested";
}
