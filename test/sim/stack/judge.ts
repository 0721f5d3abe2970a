import { engine } from "../engine.ts";
import type { StoredRecord } from "../story.ts";
import { checkClosed, checkRun, checkSame, refold } from "../rules/run.ts";
import type { Callers } from "./callers.ts";
import { openProgress } from "./progress.ts";
import type { Stage } from "./stage.ts";

/** Everything that must hold once all is quiet; returns how the runs ended. */
export function judge(stage: Stage, callers: Callers, records: readonly StoredRecord[]): readonly number[] {
  const { world, plans, service } = stage;
  const ends: number[] = [];
  const keys = new Map<string, string>();
  for (const { runId, record } of records) {
    const { fact } = record;
    if (fact.kind !== "event" || fact.event.kind?.$case !== "runStarted") continue;
    const { planHash, key } = fact.event.kind.value;
    const plan = plans[planHash[0] ?? 0];
    if (plan === undefined) continue;
    const run = refold(engine, plan, records, runId);
    if (run.state.phase === "void") continue;
    const live = stage.states.get(runId);
    if (live !== undefined && live.lastSequence === run.state.lastSequence) checkSame(world, live, run);
    checkRun(world, run, service.executions);
    ends.push(run.state.ended?.state ?? 0);
    if (key === "") continue;
    if (keys.has(key)) world.violations.push(`8: two runs of the key ${key}`);
    keys.set(key, runId);
  }
  checkTimers(stage, records);
  checkClosed(world, service.executions, stage.closedAt);
  checkCallers(stage, callers, records);
  checkLeft(stage, openProgress(stage).isCheckpointed());
  return ends;
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
