import { isLockId } from "../../../proto/wire/lockId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { engine } from "../engine.ts";
import type { StoredRecord } from "../../../testing/src/partition/log.ts";
import { checkMigrations } from "../rules/migrations.ts";
import { checkTogether } from "../rules/outside.ts";
import { checkClosed, checkRun, checkSame, refold } from "../rules/run.ts";
import type { Refolded } from "../rules/run.ts";
import { checkAfterlife } from "./afterlife.ts";
import type { Crew } from "./crew.ts";
import type { Callers } from "./callers.ts";
import { openProgress } from "./progress.ts";
import type { Stage } from "./stage.ts";

/** Everything that must hold once all is quiet; returns how the runs ended. */
export function judge(stage: Stage, crew: Crew, callers: Callers, records: readonly StoredRecord[]): readonly number[] {
  const { world, planOf, service } = stage;
  const ends: number[] = [];
  const keys = new Map<string, string>();
  const runs = new Map<string, Refolded>();
  const ofRun = Map.groupBy(records, (one) => one.runId);
  for (const { runId, record } of records) {
    const { fact } = record;
    if (fact.kind !== "event" || fact.event.kind?.$case !== "runStarted") continue;
    const { key, workflow } = fact.event.kind.value;
    const plan = planOf({ started: engine.startIn((ofRun.get(runId) ?? []).map((one) => one.record)) });
    if (plan === undefined) continue;
    const run = refold(engine, plan, records, runId);
    if (run.state.phase === "void") continue;
    const live = stage.states.get(runId);
    // What came for one that was deleted is of no run.
    const isDeleted = run.state.deleting !== undefined;
    if (!isDeleted && live !== undefined && live.lastSequence === run.state.lastSequence) checkSame(world, live, run);
    runs.set(runId, run);
    checkRun(world, run, service.executions);
    ends.push(run.state.ended?.state ?? 0);
    // A run that goes on has the key of the one that it goes on for; the key of one that was deleted is free.
    if (key === "" || isDeleted || run.state.started?.rerun !== undefined) continue;
    const name = `${workflow} ${key}`;
    if (keys.has(name)) world.violations.push(`8: two runs of the key ${key}`);
    keys.set(name, runId);
  }
  checkTogether(world, { runs, records, messages: stage.messages, isOneClock: world.faults.skewMsMax === 0 });
  checkMigrations(world, {
    engine,
    planOf: (started) => planOf({ started }),
    runs,
    records,
    executions: service.executions,
    told: callers.migrated,
  });
  // Who stood still, or waited until a claim was durable, goes on with what it was told before.
  if (world.faults.sidecarStops === 0)
    for (const rule of stage.drift.misfits(service.executions, (id) => unclaimedMethod(stage, id)))
      world.violations.push(rule);
  checkAfterlife(stage, callers.deleted, runs);
  checkLocks(stage, records);
  checkAccepted(stage, callers, runs);
  checkTimers(stage, records);
  checkClosed(world, service.executions, stage.closedAt);
  checkCallers(stage, callers, records);
  checkMemory(stage, crew);
  checkLeft(stage, openProgress(stage).isCheckpointed());
  return ends;
}

/** The method that an attempt calls without a claim; undefined: there is one. */
function unclaimedMethod({ tasks }: Stage, id: string): string | undefined {
  const parts = tasks.get(id)?.split("|") ?? [];
  return parts.at(-1) === "false" ? parts[0] : undefined;
}

/** PROTOCOL §12.10: nobody has a lock any more, or waits for one. */
function checkLocks({ world }: Stage, records: readonly StoredRecord[]): void {
  const locks = new Map<string, ReturnType<typeof engine.newLock>>();
  for (const { runId, record } of records) {
    if (!isLockId(runId as RunId)) continue;
    const lock = locks.get(runId) ?? engine.newLock();
    locks.set(runId, lock);
    engine.advanceLock(lock, record);
  }
  for (const { queue } of locks.values())
    if (queue.size > 0) world.violations.push(`10: a lock is not free: ${[...queue.keys()].join()}`);
}

/** PROTOCOL §12.10: what somebody was told is accepted came to its run. */
function checkAccepted({ world }: Stage, callers: Callers, runs: ReadonlyMap<string, Refolded>): void {
  for (const { runId, payload } of callers.acceptedSignals) {
    if (runs.get(runId)?.watched.accepted.some((signal) => signal.payload === payload) !== true)
      world.violations.push(`10: the accepted signal ${payload} is not in the log of ${runId}`);
  }
}

/** PROTOCOL §2: a timer comes when it is due, as far as clocks agree. */
function checkTimers({ world }: Stage, records: readonly StoredRecord[]): void {
  const { skewMsMax } = world.faults;
  const toleratedMs = skewMsMax === 0 ? 5 : 2 * skewMsMax + 700;
  for (const { runId, record } of records) {
    const { fact, storedMs } = record;
    if (fact.kind !== "event" || fact.event.kind?.$case !== "timerFired") continue;
    const { number, dueMs } = fact.event.kind.value;
    if (storedMs + toleratedMs < dueMs) world.violations.push(`timer ${number} of ${runId} is early`);
  }
}

/** What stands still though all is well. */
function checkLeft({ world, counts, queue, timers }: Stage, isCheckpointed: boolean): void {
  const tell = (what: string): void => void world.violations.push(what);
  if (!isCheckpointed) tell("5: a checkpoint does not come to the end of its log");
  if (timers.armed.size > 0) tell(`10: timers are left: ${[...timers.armed.keys()].join()}`);
  if (queue.tasks.length > 0) tell(`10: tasks are left: ${queue.tasks.map(({ id }) => id).join()}`);
  if (counts.setAside < counts.garbageTasks) tell("I16: garbage in the queue was not set aside");
}

/** What an idle process has to do, however much it has done: its intervals, its reads and questions, a pause here and there. */
const pendingMax = 40;

/** I17: nobody remembers what is over. */
function checkMemory({ world }: Stage, crew: Crew): void {
  if (crew.held() > 0) world.violations.push("I17: a sidecar holds tasks that there are not");
  for (const process of crew.processes()) {
    // What came for one that stands still is not its own doing.
    if (process.pausedUntilMs > world.scheduler.nowMs) continue;
    const pending = world.scheduler.pending(process);
    if (pending > pendingMax) world.violations.push(`I17: ${pending} things are to come for ${process.name}`);
  }
}

function checkCallers({ world }: Stage, callers: Callers, records: readonly StoredRecord[]): void {
  const tell = (what: string): void => void world.violations.push(what);
  for (const { runId, ended, isLost } of callers.all) {
    if (isLost) continue;
    const end = records.find(
      ({ runId: of, record: { fact } }) =>
        of === runId && fact.kind === "event" && fact.event.kind?.$case === "runEnded",
    );
    if (ended === undefined) tell(`1: a caller is not answered (${runId ?? "not started"})`);
    else if (end === undefined) tell(`1: a caller was told of an end that is not in the log (${runId ?? ""})`);
  }
  if (callers.pending.size > 0) tell("10: a request is not answered");
}
