import type { Ask, AskReply_Verdict, WaitReply, WaitRequest } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { LogRecord } from "../engine/record.ts";
import { verdictOn } from "./asks.ts";
import { execute, scheduleShortTimers } from "./execute.ts";
import { toFact } from "./fact.ts";
import type { Ground, Ownership } from "./ownership.ts";
import type { LogMessage } from "./ports.ts";
import { openResidents } from "./residents.ts";
import type { ResidentRun } from "./residentRun.ts";
import { takeOver } from "./takeover.ts";
import type { Window } from "./takeover.ts";
import { openUnfinished } from "./unfinished.ts";
import { answerOf, openWaiters, reply } from "./waiters.ts";

/** An owned partition at work. */
export interface Partition {
  /** Answers a sidecar that asks whether an attempt may run. */
  ask(ask: Ask): Promise<AskReply_Verdict>;
  /** Tells the end of a run, now or later, or that a request has been folded. `isLocal`: the caller stays until it is told. Returns how to wait no more. */
  wait(request: Pick<WaitRequest, "runId" | "foldedSequence">, isLocal: boolean, tell: (reply: WaitReply) => void): () => void;
  /** Every command of the events up to here is durable. */
  checkpoint(): number;
  /** Sequence behind the last message that was read. */
  position(): number;
  /** Stops reading and makes everything durable; true then: the checkpoint is what was read, and nothing behind it was carried out. */
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
/** A run that has just been started is read within this time. */
const absentAfterMs = 100;

/**
 * Works on a partition: reads its log behind `window`, folds each run in order, hands out what the engine asks for. `onOvertaken` is told
 * when the log says that this must not go on.
 */
export function openPartition(ground: Ground, window: Window, onOvertaken: (why: Overtaken) => void): Partition {
  const { log, bounds } = ground;
  const unfinished = openUnfinished(window.checkpoint);
  const owner: Ownership = {
    ...ground,
    unfinished,
    endRefused: (run, expected) => {
      refused.set(run.runId, expected);
      if (run.seenEvent > expected) endAgain(run);
    },
    roomAgain: () => {
      if (phase === "finishing" && unfinished.count() === 0) finished.resolve();
      // Pulled again only when there is room for many: a pull for each event done would be a request for each event.
      if (isStarved && roomNow() > bounds.unfinishedMax / 2) reader.pull();
    },
  };
  const waiters = openWaiters();
  let phase: "takingOver" | "live" | "finishing" | "left" = "takingOver";
  /** Live messages that came while the takeover is not over. */
  let ahead: LogMessage[] = [];
  let part = new Map<RunId, LogRecord[]>();
  let partSize = 0;
  let partFrom = 0;
  let isFolding = false;
  let isStarved = false;
  const finished = Promise.withResolvers<void>();
  const refused = new Map<RunId, number>();

  const afterTurn = (run: ResidentRun): void => {
    const expected = refused.get(run.runId);
    if (expected !== undefined && run.seenEvent > expected) endAgain(run);
    if (expected !== undefined && run.state?.ended !== undefined) refused.delete(run.runId);
    waiters.look(run);
    if (run.watchers === undefined || run.mailbox.length > 0 || run.phase === "loading") return;
    const due = run.watchers.filter(({ sequence }) => sequence <= run.seen);
    if (due.length === 0) return;
    run.watchers = run.watchers.filter(({ sequence }) => sequence > run.seen);
    for (const { resolve } of due) resolve();
  };
  const endAgain = (run: ResidentRun): void => {
    refused.delete(run.runId);
    const ending = run.state?.ending;
    if (ending === undefined || run.state?.ended !== undefined || !owner.isLive()) return;
    execute(owner, run, ending, { hold: run.seen, atMs: 0, recheck: false });
  };
  const residents = openResidents(owner, { position: () => reader.next(), afterTurn });

  const onMessage = (message: LogMessage): void => {
    if (phase === "left" || phase === "finishing") return;
    if (!owner.isLive()) return onOvertaken({ kind: "expired" });
    if (phase === "live") onLive(message);
    else if (message.sequence > window.head) ahead.push(message);
    else onWindow(message);
  };
  const onLive = (message: LogMessage): void => {
    owner.clock.observe(message.storedMs);
    const fact = toFact(message, owner.credentials);
    if (fact.kind !== "newer") unfinished.read(message.sequence);
    switch (fact.kind) {
      case "record":
        residents.deliver(fact.runId, fact.record);
        break;
      case "owner":
        if (fact.epoch > owner.epoch) onOvertaken({ kind: "overtaken", owner: fact.owner, epoch: fact.epoch });
        break;
      case "newer":
        onOvertaken({ kind: "outdated", needs: fact.needs, sequence: message.sequence });
        break;
      case "garbage":
        setAside(message, fact.reason);
        if (fact.runId !== undefined) residents.deliverGarbage(fact.runId, message.sequence, fact.isEvent);
        break;
    }
  };
  const setAside = (message: LogMessage, reason: string): void => {
    owner.counts.garbage++;
    owner.logger.warn("a message is set aside", { sequence: message.sequence, subject: message.subject, reason });
  };

  const onWindow = (message: LogMessage): void => {
    if (partSize === 0) {
      partFrom = message.sequence;
      unfinished.hold(partFrom);
    }
    partSize++;
    const fact = toFact(message, owner.credentials);
    if (fact.kind === "newer") {
      onOvertaken({ kind: "outdated", needs: fact.needs, sequence: message.sequence });
      return;
    }
    unfinished.read(message.sequence);
    if (fact.kind === "garbage") setAside(message, fact.reason);
    if (fact.kind === "record") {
      const records = part.get(fact.runId);
      if (records === undefined) part.set(fact.runId, [fact.record]);
      else records.push(fact.record);
    }
    const isLast = message.sequence >= window.head;
    if (isLast || partSize >= bounds.takeoverPart) foldPart(isLast).catch(owner.fail);
  };
  const foldPart = async (isLast: boolean): Promise<void> => {
    const [records, hold] = [part, partFrom];
    part = new Map();
    partSize = 0;
    isFolding = true;
    await takeOver(owner, residents, window, records, { hold, isLast });
    owner.signal.throwIfAborted();
    isFolding = false;
    unfinished.release(hold);
    for (const run of residents.all()) waiters.look(run);
    if (isLast) goLive();
    reader.pull();
  };
  const goLive = (): void => {
    phase = "live";
    const messages = ahead;
    ahead = [];
    owner.logger.info("works on the partition", { head: window.head, checkpoint: unfinished.checkpoint() });
    for (const message of messages) onLive(message);
  };

  const roomNow = (): number => {
    if (phase === "takingOver") return isFolding ? 0 : bounds.takeoverPart - partSize;
    if (phase !== "live" || residents.waiting() > bounds.waitingMax) return 0;
    return bounds.unfinishedMax - unfinished.count();
  };
  const room = (): number => {
    const places = roomNow();
    isStarved = places <= 0;
    return places;
  };
  const reader = log.read({ from: window.checkpoint + 1, onMessage, room });
  const sweeper = setInterval(() => {
    residents.sweep();
    waiters.sweep();
  }, bounds.sweepEveryMs);

  const stop = (): void => {
    phase = "left";
    clearInterval(sweeper);
    reader[Symbol.dispose]();
    waiters.leave();
    for (const run of residents.all()) {
      for (const { timeout } of run.shortTimers?.values() ?? []) clearTimeout(timeout);
      for (const { resolve } of run.watchers ?? []) resolve();
    }
  };

  return {
    ask: (ask) => verdictOn(owner, { isWorking: () => phase === "live", residents, position: () => reader.next() }, ask),
    wait: ({ runId: bytes, foldedSequence }, isLocal, tell) => {
      const runId = parseRunId(bytes);
      if (runId === undefined) return nothing;
      const tellNow = (kind: NonNullable<WaitReply["kind"]>): (() => void) => {
        tell(reply(runId, kind));
        return nothing;
      };
      if (phase === "left" || phase === "finishing" || !owner.isLive()) return tellNow({ $case: "notNow", value: {} });
      const run = residents.get(runId);
      const answer = run === undefined || run.phase === "loading" ? undefined : answerOf(run, foldedSequence);
      if (answer !== undefined) return tellNow(answer);
      if (!isLocal) tell(reply(runId, { $case: "registered", value: {} }));
      const forget = waiters.add(runId, { request: { foldedSequence }, tell, untilMs: isLocal ? Infinity : Date.now() + waiterKeptMs });
      if (run === undefined) setTimeout(() => void lookFor(runId), absentAfterMs);
      return forget;
    },
    checkpoint: () => unfinished.checkpoint(),
    position: () => reader.next(),
    finish: async () => {
      if (phase !== "live") {
        stop();
        return false;
      }
      phase = "finishing";
      reader[Symbol.dispose]();
      for (const run of residents.all()) scheduleShortTimers(owner, run);
      if (unfinished.count() > 0) await Promise.race([finished.promise, aborted(owner.signal)]);
      stop();
      return unfinished.count() === 0;
    },
    leave: stop,
  };

  /** A run that somebody waits for and that is not in memory: it has ended long ago, stands still, or is not known. */
  async function lookFor(runId: RunId): Promise<void> {
    if (phase !== "live" || residents.get(runId) !== undefined) return;
    try {
      const run = await residents.ensure(runId);
      if (run.phase === "orphan" && (await log.firstEvent(runId)) === undefined) waiters.unknown(runId);
      else waiters.look(run);
    } catch (error) {
      if (!owner.signal.aborted) owner.logger.warn("a run that is waited for can't be read now", { run: runId, error });
    }
  }
}

const nothing = (): void => undefined;

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
