import { Buffer } from "node:buffer";
import type { RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { growingPause, pause } from "../../../runtime/src/pause.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import type { LogRecord } from "../engine/record.ts";
import { newRun } from "../engine/state.ts";
import { toFact } from "./fact.ts";
import type { Ownership } from "./ownership.ts";
import { isEvictable, toResidentRun } from "./residentRun.ts";
import type { ResidentRun } from "./residentRun.ts";
import { live, park, replay, takeTurn } from "./turn.ts";

/** The runs of a partition that are in memory: loaded on demand, dropped when idle. */
export interface Residents {
  get(runId: RunId): ResidentRun | undefined;
  /** Gives a record to its run: at once when the run is ready, else once it is loaded. */
  deliver(runId: RunId, record: LogRecord): void;
  /** Garbage on a run's subject. */
  deliverGarbage(runId: RunId, sequence: number, isEvent: boolean): void;
  /** The run, loaded if need be; it may turn out an orphan. */
  ensure(runId: RunId): Promise<ResidentRun>;
  all(): Iterable<ResidentRun>;
  /** Puts a run in that a takeover has folded. */
  adopt(run: ResidentRun): void;
  /** Drops runs without news for long. */
  sweep(): void;
  /** Records that wait for a load. */
  waiting(): number;
  planOf(started: RunStarted): Promise<LoadedPlan | undefined>;
}

const touchEveryMs = 1000;

/** `position`: sequence behind the last message that the loop was given. `afterTurn` is called once a run has taken what came. */
export function openResidents(
  owner: Ownership,
  { position, afterTurn }: { readonly position: () => number; readonly afterTurn: (run: ResidentRun) => void },
): Residents {
  // Least recently touched first.
  const runs = new Map<RunId, ResidentRun>();
  const plans = new Map<string, LoadedPlan>();
  const { bounds } = owner;
  const loads = openGate(bounds.loadsMax);
  let waiting = 0;

  const touch = (run: ResidentRun): void => {
    const nowMs = Date.now();
    if (nowMs - run.touchedMs < touchEveryMs) return;
    run.touchedMs = nowMs;
    runs.delete(run.runId);
    runs.set(run.runId, run);
  };
  const planOf = async (started: RunStarted): Promise<LoadedPlan | undefined> => {
    const name = Buffer.from(started.planHash).toString("latin1");
    const known = plans.get(name);
    if (known !== undefined) return known;
    const loaded = await untilIt(owner, "a plan", () => owner.plans.load(started.planHash));
    if (loaded !== undefined) plans.set(name, loaded);
    return loaded;
  };
  const cachedPlan = (started: RunStarted): LoadedPlan | undefined => plans.get(Buffer.from(started.planHash).toString("latin1"));

  const take = (run: ResidentRun, record: LogRecord): void => {
    if (record.sequence > run.seen) run.seen = record.sequence;
    if (record.fact.kind === "event" && record.sequence > run.seenEvent) run.seenEvent = record.sequence;
    if (run.phase === "ready") takeTurn(owner, run, record, live);
    else if (run.phase === "orphan") owner.counts.orphans++;
    afterTurn(run);
  };
  const keepWaiting = (run: ResidentRun, record: LogRecord): void => {
    run.mailbox.push(record);
    owner.unfinished.hold(record.sequence);
    waiting++;
  };
  const drain = (run: ResidentRun): void => {
    const records = run.mailbox;
    run.mailbox = [];
    for (const record of records) {
      take(run, record);
      owner.unfinished.release(record.sequence);
    }
    waiting -= records.length;
    if (records.length === 0) afterTurn(run);
    owner.roomAgain();
  };
  const begin = (run: ResidentRun, plan: LoadedPlan): void => {
    run.state = newRun(run.runId);
    run.plan = plan;
    run.phase = "ready";
  };
  /** Loads what came before the mailbox, then takes the mailbox. */
  const load = async (run: ResidentRun): Promise<void> => {
    owner.counts.loads++;
    const messages = await untilIt(owner, "a run", () => loads(() => owner.log.load(run.runId)));
    const bound = run.mailbox[0]?.sequence ?? position();
    const records = messages.filter(({ sequence }) => sequence < bound).flatMap((message) => recordOf(owner, run, message));
    const started = startOf(records) ?? startOf(run.mailbox);
    const plan = started === undefined ? undefined : await planOf(started);
    if (started === undefined) {
      run.phase = "orphan";
    } else if (plan === undefined) {
      park(owner, run, bound, new Error(`the definitions have no plan ${Buffer.from(started.planHash).toString("hex")}`));
    } else {
      begin(run, plan);
      for (const record of records) takeTurn(owner, run, record, replay);
    }
    drain(run);
    // Nothing is known of it: what comes later may be its start.
    if (run.phase === "orphan") runs.delete(run.runId);
  };
  const open = (runId: RunId): ResidentRun => {
    const run = toResidentRun(runId, Date.now());
    runs.set(runId, run);
    return run;
  };

  return {
    get: (runId) => runs.get(runId),
    deliver: (runId, record) => {
      const known = runs.get(runId);
      if (known !== undefined) {
        touch(known);
        if (known.phase === "loading") keepWaiting(known, record);
        else take(known, record);
        return;
      }
      const run = open(runId);
      const started = startOf([record]);
      const plan = started === undefined ? undefined : cachedPlan(started);
      if (plan !== undefined) {
        begin(run, plan);
        take(run, record);
        return;
      }
      keepWaiting(run, record);
      load(run).catch(owner.fail);
    },
    deliverGarbage: (runId, sequence, isEvent) => {
      const run = runs.get(runId);
      if (run === undefined) return;
      if (sequence > run.seen) run.seen = sequence;
      if (isEvent && sequence > run.seenEvent) run.seenEvent = sequence;
      afterTurn(run);
    },
    ensure: async (runId) => {
      const known = runs.get(runId);
      if (known !== undefined && known.phase !== "loading") {
        touch(known);
        return known;
      }
      const run = known ?? open(runId);
      const done = Promise.withResolvers<void>();
      (run.watchers ??= []).push({ sequence: 0, resolve: done.resolve });
      if (known === undefined) load(run).catch(owner.fail);
      await done.promise;
      return run;
    },
    all: () => runs.values(),
    adopt: (run) => void runs.set(run.runId, run),
    sweep: () => {
      const nowMs = Date.now();
      let excess = runs.size - bounds.residentsMax;
      for (const run of runs.values()) {
        const isEnded = run.state?.ended !== undefined;
        const isIdle = nowMs - run.touchedMs > (isEnded ? bounds.endedIdleMs : bounds.idleMs);
        if (!isIdle && excess <= 0 && nowMs - run.touchedMs < Math.min(bounds.endedIdleMs, bounds.idleMs)) break;
        if (!isEvictable(run) || (!isIdle && excess <= 0)) continue;
        runs.delete(run.runId);
        owner.counts.evictions++;
        excess--;
      }
    },
    waiting: () => waiting,
    planOf,
  };
}

/** The records of a run among its messages; garbage is remembered as seen. */
export function recordOf(owner: Ownership, run: ResidentRun, message: Parameters<typeof toFact>[0]): readonly LogRecord[] {
  const fact = toFact(message, owner.credentials);
  run.seen = Math.max(run.seen, message.sequence);
  if (message.subject.endsWith(".e")) run.seenEvent = Math.max(run.seenEvent, message.sequence);
  return fact.kind === "record" ? [fact.record] : [];
}

/** The start among the records of a run. */
export function startOf(records: readonly LogRecord[]): RunStarted | undefined {
  for (const { fact } of records) {
    if (fact.kind === "event" && fact.event.kind?.$case === "runStarted") return fact.event.kind.value;
  }
  return undefined;
}

/** Repeats what fails while NATS does not answer; throws once the partition is left. */
export async function untilIt<T>(owner: Ownership, what: string, read: () => Promise<T>): Promise<T> {
  const nextPauseMs = growingPause(50, 2000);
  for (;;) {
    try {
      return await read();
    } catch (error) {
      owner.signal.throwIfAborted();
      owner.logger.warn("a read is tried again", { what, error });
      await pause(nextPauseMs(), owner.signal);
      owner.signal.throwIfAborted();
    }
  }
}

type Gate = <T>(run: () => Promise<T>) => Promise<T>;

/** Lets `max` run at a time, the others wait in order. */
export function openGate(max: number): Gate {
  const queue: (() => void)[] = [];
  let open = 0;
  return async (run) => {
    if (open >= max) await new Promise<void>((resolve) => queue.push(resolve));
    else open++;
    try {
      return await run();
    } finally {
      const next = queue.shift();
      if (next === undefined) open--;
      else next();
    }
  };
}
