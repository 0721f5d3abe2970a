import { AskReply_Verdict } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Ask, WaitReply, WaitRequest } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import type { LogRecord } from "../engine/record.ts";
import type { RunState } from "../engine/state.ts";
import { unlessAborted } from "./abort.ts";
import { verdictOn } from "./asks.ts";
import { openCuts } from "./cuts.ts";
import { askAgainForHeld, execute, scheduleShortTimers } from "./execute.ts";
import { toFact } from "./fact.ts";
import type { Ground, Ownership } from "./ownership.ts";
import type { LogMessage, LogReader } from "./ports.ts";
import { isUnsure, Residents } from "./residents.ts";
import type { ResidentRun } from "./residentRun.ts";
import { openDeletions } from "./deletions.ts";
import { openReach } from "./reach.ts";
import type { Reach } from "./reach.ts";
import { openRetentions } from "./retentions.ts";
import type { Swept } from "./kept.ts";
import { Seeker } from "./seeker.ts";
import { startSweeping } from "./sweeping.ts";
import { takeOver } from "./takeover.ts";
import type { Window } from "./takeover.ts";
import { openUnfinished } from "./unfinished.ts";
import { answerOf, openWaiters, reply } from "./waiters.ts";
import type { WaitedFor } from "./waiters.ts";

/** An owned partition at work. */
export interface Partition {
  /** Answers a sidecar that asks whether an attempt may run. */
  ask(ask: Ask): Promise<AskReply_Verdict>;
  /**
   * Tells the end of a run, now or later, what it yields, or that a request has been folded. `isLocal`: the caller stays until it is told; others are told
   * first that they are registered, and have to ask again. Returns how to wait no more.
   */
  wait(request: Pick<WaitRequest, "runId"> & WaitedFor, isLocal: boolean, tell: (reply: WaitReply) => void): () => void;
  /** A run that is in memory, as far as it has been folded. Read it before anything else happens: its owner changes it in place. */
  resident(runId: RunId): { readonly plan: LoadedPlan; readonly state: RunState } | undefined;
  /** Every command of the events up to here is durable. */
  checkpoint(): number;
  /** Runs that ended up to here are deleted. */
  swept(): Swept;
  /** Requests to delete a run that have not been carried out begin here; 0: there are none. */
  deleting(): number;
  /** Sequence behind the last message that was read. */
  position(): number;
  /**
   * Stops reading and makes everything durable; true then: the checkpoint is what was read, and nothing behind it was carried out.
   */
  finish(): Promise<boolean>;
  /** Leaves it as it stands. */
  leave(): void;
}

/** Why a partition can't be worked on any longer. */
export type Overtaken =
  /** The lease has not been confirmed for too long. */
  | { readonly kind: "expired" }
  | { readonly kind: "overtaken"; readonly owner: string; readonly epoch: number }
  /** The log goes on with what only a newer version understands. */
  | { readonly kind: "outdated"; readonly needs: string; readonly sequence: number };

const waiterKeptMs = 15_000;

/**
 * Works on a partition: reads its log behind the window's checkpoint, folds each run in order, hands out what the engine asks for.
 * `onOvertaken` is told when the log or the clock says that this must not go on.
 */
export function openPartition(ground: Ground, window: Window, onOvertaken: (why: Overtaken) => void): Partition {
  return new Loop(ground, window, onOvertaken);
}

class Loop implements Partition {
  readonly #owner: Ownership;
  readonly #window: Window;
  readonly #onOvertaken: (why: Overtaken) => void;
  readonly #residents: Residents;
  readonly #reader: LogReader;
  readonly #reach: Reach;
  readonly #waiters = openWaiters();
  readonly #seeker: Seeker;
  readonly #stopSweeping: () => void;
  readonly #stopListening: () => void;
  readonly #finished = Promise.withResolvers<void>();
  #phase: "takingOver" | "live" | "finishing" | "left" = "takingOver";
  /** What the window has brought and has not been folded yet. */
  #part = new Map<RunId, LogRecord[]>();
  #partSize = 0;
  /** Garbage on the subjects of its runs. */
  #partGarbage: { readonly runId: RunId; readonly sequence: number; readonly isEvent: boolean }[] = [];
  #partHold = 0;
  #isFolding = false;
  /** Live messages that came while the takeover is not over. */
  #ahead: LogMessage[] = [];
  /** Ends that met an event, by what they had expected. */
  readonly #refusedEnds = new Map<RunId, number>();
  #isStarved = false;

  constructor(ground: Ground, window: Window, onOvertaken: (why: Overtaken) => void) {
    const unfinished = openUnfinished(window.checkpoint);
    this.#owner = {
      ...ground,
      unfinished,
      cuts: openCuts(ground),
      deletions: openDeletions(ground, window),
      retentions: openRetentions(ground, window.swept, window.checkpoint),
      heldRuns: new Set(),
      endRefused: (run, expected) => {
        this.#refusedEnds.set(run.runId, expected);
        this.#endAgain(run);
      },
      roomAgain: () => {
        if (this.#phase === "finishing" && unfinished.count() === 0) this.#finished.resolve();
        // Pulled again only when there is room for many: a pull for each event done would be a request for each event.
        if (this.#isStarved && this.#room() > ground.bounds.unfinishedMax / 2) this.#reader.pull();
      },
    };
    this.#window = window;
    this.#onOvertaken = onOvertaken;
    this.#residents = new Residents(this.#owner, {
      position: () => this.#reader.next(),
      afterTurn: (run) => this.#afterTurn(run),
    });
    this.#reach = openReach({ ...ground, position: () => this.#reader.next() });
    this.#seeker = new Seeker({
      owner: this.#owner,
      residents: this.#residents,
      reach: this.#reach,
      waiters: this.#waiters,
      isLive: () => this.#phase === "live",
    });
    this.#reader = ground.log.read({
      from: window.checkpoint + 1,
      onMessage: (message) => this.#onMessage(message),
      room: () => {
        const room = this.#room();
        this.#isStarved = room <= 0;
        return room;
      },
    });
    this.#stopSweeping = startSweeping(this.#owner, this.#residents, this.#waiters);
    const stops = [ground.heldBack, ground.drift].map((one) => one.onRelease(() => this.#askForReleased()));
    this.#stopListening = () => stops.forEach((stop) => stop());
  }

  checkpoint(): number {
    return this.#owner.unfinished.checkpoint();
  }

  swept(): Swept {
    return this.#owner.retentions.swept();
  }

  deleting(): number {
    return this.#owner.deletions.from();
  }

  position(): number {
    return this.#reader.next();
  }

  ask(ask: Ask): Promise<AskReply_Verdict> {
    if (this.#phase !== "live") return Promise.resolve(AskReply_Verdict.NOT_NOW);
    return verdictOn(this.#owner, this.#residents, ask, this.#reach);
  }

  wait(
    request: Pick<WaitRequest, "runId"> & WaitedFor,
    isLocal: boolean,
    tell: (reply: WaitReply) => void,
  ): () => void {
    const runId = parseRunId(request.runId);
    if (runId === undefined) return nothing;
    const run = this.#residents.get(runId);
    const answer = this.#answer(run, request);
    if (answer !== undefined) {
      tell(reply(runId, answer));
      return nothing;
    }
    if (!isLocal) tell(reply(runId, { $case: "registered", value: {} }));
    const untilMs = isLocal ? Infinity : this.#owner.now() + waiterKeptMs;
    const forget = this.#waiters.add(runId, { request, tell, untilMs });
    if (isUnsure(run)) this.#seeker.soon(runId);
    return forget;
  }

  resident(runId: RunId): { readonly plan: LoadedPlan; readonly state: RunState } | undefined {
    if (this.#phase !== "live" || !this.#owner.isLive()) return undefined;
    const run = this.#residents.get(runId);
    if (run?.phase !== "ready" || run.state === undefined || run.plan === undefined) return undefined;
    return { plan: run.plan, state: run.state };
  }

  async finish(): Promise<boolean> {
    const { unfinished, signal } = this.#owner;
    if (this.#phase !== "live") {
      this.leave();
      return false;
    }
    this.#phase = "finishing";
    this.#reader[Symbol.dispose]();
    this.#reach.leave();
    for (const run of this.#residents.all()) scheduleShortTimers(this.#owner, run);
    if (unfinished.count() > 0) await unlessAborted(signal, this.#finished.promise, undefined);
    this.leave();
    return unfinished.count() === 0;
  }

  leave(): void {
    if (this.#phase === "left") return;
    this.#phase = "left";
    this.#stopSweeping();
    this.#stopListening();
    this.#reader[Symbol.dispose]();
    this.#waiters.leave();
    this.#reach.leave();
    for (const run of this.#residents.all()) {
      for (const { timeout } of run.shortTimers?.values() ?? []) clearTimeout(timeout);
      for (const { resolve } of run.watchers ?? []) resolve();
    }
  }

  #room(): number {
    const { bounds, unfinished } = this.#owner;
    if (this.#phase === "takingOver") return this.#isFolding ? 0 : bounds.takeoverPart - this.#partSize;
    if (this.#phase !== "live" || this.#residents.waitingBytes() > bounds.waitingBytesMax) return 0;
    return bounds.unfinishedMax - unfinished.count();
  }

  #onMessage(message: LogMessage): void {
    if (this.#phase === "left" || this.#phase === "finishing") return;
    try {
      if (!this.#owner.isLive()) this.#onOvertaken({ kind: "expired" });
      else if (this.#phase === "live") this.#onLive(message);
      else if (message.sequence > this.#window.head) this.#ahead.push(message);
      else this.#onWindow(message);
    } catch (error) {
      this.#owner.fail(error);
    }
  }

  #onLive(message: LogMessage): void {
    const { clock, credentials, unfinished, epoch } = this.#owner;
    clock.observe(message.storedMs);
    const fact = toFact(message, credentials);
    if (fact.kind !== "newer") unfinished.read(message.sequence);
    switch (fact.kind) {
      case "record":
        this.#owner.retentions.note(fact.record);
        this.#residents.deliver(fact.runId, fact.record, message.data.length);
        break;
      case "owner":
        if (fact.epoch > epoch) this.#onOvertaken({ kind: "overtaken", owner: fact.owner, epoch: fact.epoch });
        break;
      case "newer":
        this.#onOvertaken({ kind: "outdated", needs: fact.needs, sequence: message.sequence });
        break;
      case "garbage":
        this.#setAside(message, fact.reason);
        if (fact.runId !== undefined) this.#residents.deliverGarbage(fact.runId, message.sequence, fact.isEvent);
        break;
    }
    // What only newer versions understand is not delivered.
    if (this.#phase === "live") this.#reach.delivered(message.sequence);
  }

  #setAside({ sequence, subject }: LogMessage, reason: string): void {
    this.#owner.counts.garbage++;
    this.#owner.logger.warn("a message is set aside", { sequence, subject, reason });
  }

  #onWindow(message: LogMessage): void {
    const { bounds, credentials, unfinished, fail } = this.#owner;
    if (this.#partSize === 0) {
      this.#partHold = message.sequence;
      unfinished.hold(this.#partHold);
    }
    this.#partSize++;
    const fact = toFact(message, credentials);
    if (fact.kind === "newer") {
      this.#onOvertaken({ kind: "outdated", needs: fact.needs, sequence: message.sequence });
      return;
    }
    unfinished.read(message.sequence);
    if (fact.kind === "garbage") {
      const { runId, isEvent } = fact;
      this.#setAside(message, fact.reason);
      if (runId !== undefined) this.#partGarbage.push({ runId, sequence: message.sequence, isEvent });
    }
    if (fact.kind === "record") {
      this.#owner.retentions.note(fact.record);
      const records = this.#part.get(fact.runId);
      if (records === undefined) this.#part.set(fact.runId, [fact.record]);
      else records.push(fact.record);
    }
    const isLast = message.sequence >= this.#window.head;
    if (isLast || this.#partSize >= bounds.takeoverPart) this.#foldPart(isLast).catch(fail);
  }

  async #foldPart(isLast: boolean): Promise<void> {
    const { unfinished, signal } = this.#owner;
    const [records, hold, garbage] = [this.#part, this.#partHold, this.#partGarbage];
    this.#part = new Map();
    this.#partGarbage = [];
    this.#partSize = 0;
    this.#isFolding = true;
    await takeOver(this.#owner, this.#residents, this.#window, { records, hold, isLast });
    signal.throwIfAborted();
    this.#isFolding = false;
    // It moves the end of a run's subject: who asks, and the run's own end, have to know.
    for (const { runId, sequence, isEvent } of garbage) this.#residents.deliverGarbage(runId, sequence, isEvent);
    unfinished.release(hold);
    for (const run of this.#residents.all()) this.#waiters.look(run);
    if (isLast) this.#goLive();
    this.#reader.pull();
  }

  #goLive(): void {
    if (this.#phase !== "takingOver") return;
    this.#phase = "live";
    this.#reach.delivered(this.#window.head);
    const messages = this.#ahead;
    this.#ahead = [];
    this.#owner.logger.info("works on the partition", { head: this.#window.head, checkpoint: this.checkpoint() });
    for (const message of messages) this.#onMessage(message);
    // Runs of before the window have been left out so far.
    for (const runId of this.#waiters.runs()) this.#seeker.seek(runId);
    // What was released meanwhile nobody has heard.
    this.#askForReleased();
  }

  #afterTurn(run: ResidentRun): void {
    if (this.#refusedEnds.size > 0) this.#endAgain(run);
    this.#waiters.look(run);
    if (run.watchers === undefined || run.mailbox.length > 0 || run.phase === "loading") return;
    const due = run.watchers.filter(({ sequence }) => sequence <= run.seen);
    if (due.length === 0) return;
    run.watchers = run.watchers.filter(({ sequence }) => sequence > run.seen);
    for (const { resolve } of due) resolve();
  }

  /** An end that met an event is tried again once that has been folded, or set aside, and the end is still wanted. */
  #endAgain(run: ResidentRun): void {
    const expected = this.#refusedEnds.get(run.runId);
    if (expected === undefined || run.seenEvent <= expected) return;
    this.#refusedEnds.delete(run.runId);
    const ending = run.state?.ending;
    if (ending === undefined || run.state?.ended !== undefined || !this.#owner.isLive()) return;
    execute(this.#owner, run, ending, { hold: run.seen, atMs: 0, recheck: false });
  }

  /** Runs that this owner has held are loaded, one after the other, and ask at once; others hear of it when their pause is over. */
  #askForReleased(): void {
    this.#askAll().catch(this.#owner.fail);
  }

  async #askAll(): Promise<void> {
    for (const run of this.#residents.all()) this.#askAgainForHeld(run);
    const { heldRuns } = this.#owner;
    const held = [...heldRuns];
    for (const runId of held) {
      if (!this.#mayAsk()) return;
      const run = await this.#residents.ensure(runId);
      this.#askAgainForHeld(run);
      if (run.state === undefined) heldRuns.delete(runId);
    }
  }

  #askAgainForHeld(run: ResidentRun): void {
    if (this.#mayAsk()) askAgainForHeld(this.#owner, run, this.#reader.next() - 1);
  }

  #mayAsk(): boolean {
    return this.#phase === "live" && this.#owner.isLive();
  }

  #answer(run: ResidentRun | undefined, waitedFor: WaitedFor): NonNullable<WaitReply["kind"]> | undefined {
    if (this.#phase === "left" || this.#phase === "finishing" || !this.#owner.isLive())
      return { $case: "notNow", value: {} };
    return run === undefined || run.phase === "loading" ? undefined : answerOf(run, waitedFor);
  }
}

const nothing = (): void => undefined;
