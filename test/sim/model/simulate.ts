import type { LoadedPlan } from "../../../orchestrator/src/engine/plan.ts";
import { makeFailure, makeStarted, outcomeAt } from "../../../orchestrator/src/engine/testing/records.ts";
import { toRunId } from "../../../proto/wire/runId.ts";
import type { Ground } from "./carryOut.ts";
import { openClock } from "./clock.ts";
import { engine as realEngine } from "../engine.ts";
import type { Engine } from "../engine.ts";
import { toFaults } from "./faults.ts";
import { checkClosed, checkRun, checkSame, refold } from "../rules/run.ts";
import { openLog } from "./log.ts";
import { openOwnership } from "./owner.ts";
import type { Lease } from "./owner.ts";
import { openQueue } from "./queue.ts";
import { toRandom } from "../random.ts";
import { tellStory } from "../story.ts";
import { openService } from "./service.ts";
import { openSidecars } from "./sidecar.ts";
import { openTimers } from "./timers.ts";
import { toWorkflow } from "../workflow.ts";
import { strikes, wireMs } from "./world.ts";
import type { BrokenRule, World } from "./world.ts";

/** What one seed came to. */
export interface Simulated {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly records: number;
  /** End states of its runs, by number. */
  readonly ends: readonly number[];
  readonly virtualMs: number;
  /** What happened, for people: the log's records and the services' calls, in order. */
  readonly story: () => readonly string[];
}

const startMs = 1_000_000;
const endMs = startMs + 4 * 3_600_000;

/** Random workflows on a random bad day; the seed decides everything. */
export function simulate(
  seed: number,
  engine: Engine = realEngine,
  broken: ReadonlySet<BrokenRule> = new Set(),
): Simulated {
  const random = toRandom(seed);
  const faults = toFaults(random);
  const clock = openClock(startMs);
  const violations: string[] = [];
  const isFaulty = (): boolean => clock.now < startMs + faults.healsMs;
  const world: World = { clock, random, faults, broken, violations, isQuiet: faults.isQuiet, isFaulty };
  const log = openLog(world);
  const queue = openQueue(world);
  const timers = openTimers(world);
  const service = openService(world);
  const sidecars = openSidecars(world, { log, queue, service }, (question, answer) => {
    clock.after(wireMs(world), () => {
      const verdict = lease.owner === undefined ? "not now" : lease.owner.answer(question);
      clock.after(wireMs(world), () => answer(verdict));
    });
  });
  const ground: Ground = {
    world,
    engine,
    log,
    queue,
    timers,
    reset: (runId, attempt) => sidecars.reset(runId, attempt),
    published: new Map(),
    closedAt: new Map(),
  };
  const plans = new Map<string, LoadedPlan>();
  for (let n = random.int(1, 3); n > 0; n--) {
    plans.set(toRunId(startMs, 0, n, new Uint8Array(8)), engine.makePlan(toWorkflow(random, faults.endless)));
  }
  const lease: Lease = openOwnership(ground, plans);
  // In one seed of four a turn begins two steps at most, so that most turns are too long.
  for (const runId of plans.keys()) begin(ground, runId, seed % 4 === 0 ? 2 : 0);
  attend(ground, lease, [...plans.keys()]);
  let isDone = false;
  const look = (): void => {
    isDone = log.records.length > 20_000 || isQuiet(world, lease, plans, timers.armed, queue.tasks);
    clock.after(500, look);
  };
  look();
  clock.run(endMs, () => isDone);

  const ends: number[] = [];
  for (const [runId, plan] of plans) {
    const run = refold(engine, plan, log.records, runId);
    const live = lease.owner?.states.get(runId);
    lease.owner?.catchUp();
    if (live !== undefined) checkSame(world, live, run);
    checkRun(world, run, service.executions);
    checkClosed(world, service.executions, ground.closedAt);
    ends.push(run.state.ended?.state ?? 0);
  }
  return {
    seed,
    violations,
    records: log.records.length,
    ends,
    virtualMs: clock.now - startMs,
    story: () => tellStory(log.records, service.executions, startMs),
  };
}

/** All has ended, and nothing is left in the queue or in the timers. */
function isQuiet(
  world: World,
  lease: Lease,
  plans: ReadonlyMap<string, LoadedPlan>,
  armed: ReadonlySet<string>,
  tasks: readonly { readonly isAcked: boolean }[],
): boolean {
  if (world.isFaulty() || lease.owner === undefined) return false;
  for (const runId of plans.keys()) if (lease.owner.states.get(runId)?.ended === undefined) return false;
  return armed.size === 0 && tasks.every((task) => task.isAcked);
}

function begin({ world, log }: Ground, runId: string, turnStepsMax: number): void {
  const { clock, random, faults } = world;
  clock.after(random.int(0, 500), () => {
    const value = makeStarted({ issuedAtMs: clock.now, bounds: { turnStepsMax } });
    log.appendEvent(runId, `start/${runId}`, { $case: "runStarted", value });
    if (!faults.isQuiet && random.chance(0.25)) {
      const kind = random.chance(0.85) ? "cancelRequested" : "terminateRequested";
      clock.after(random.int(0, 15_000), () =>
        request(world, log, runId, kind, { reason: "", actor: "", requestId: "" }),
      );
    }
  });
}

function request(
  world: World,
  log: Ground["log"],
  runId: string,
  kind: "cancelRequested" | "terminateRequested",
  value: { readonly reason: string; readonly actor: string; readonly requestId: string },
): void {
  log.appendEvent(runId, `${kind}/${runId}`, { $case: kind, value });
  if (strikes(world, 0.3)) log.appendEvent(runId, `${kind}/again/${runId}`, { $case: kind, value });
}

/** People look after incidents, and somebody forges outcomes. */
function attend({ world, log }: Ground, lease: Lease, runIds: readonly string[]): void {
  const { clock, random, faults } = world;
  const look = (): void => {
    for (const runId of runIds) {
      const state = lease.owner?.states.get(runId);
      if (state === undefined || state.ended !== undefined) continue;
      for (const step of state.incidents) {
        if (random.chance(0.5)) continue;
        const kind = random.chance(0.7) ? "retryRequested" : "failRequested";
        const value = {
          step: step.path,
          compensation: step.phase === 1,
          reason: "",
          actor: "",
          requestId: `${step.path}/${clock.now}`,
        };
        log.appendEvent(runId, `${kind}/${runId}/${clock.now}`, { $case: kind, value });
        if (!strikes(world, faults.double)) continue;
        const again = `${kind}/${runId}/${clock.now}/again`;
        clock.after(random.int(1, 3_000), () => log.appendEvent(runId, again, { $case: kind, value }));
      }
      if (strikes(world, faults.forged)) forge(world, log, runId);
    }
    clock.after(random.int(500, 3_000), look);
  };
  look();
}

function forge(world: World, log: Ground["log"], runId: string): void {
  const { clock, random } = world;
  const attempt = { step: `s${random.int(0, 3)}`, generation: 0, phase: 0, attempt: random.int(1, 2) } as const;
  const kind = random.chance(0.7)
    ? ({ $case: "completed", value: new TextEncoder().encode("forged") } as const)
    : ({ $case: "failed", value: makeFailure("NOT_FOUND", "forged") } as const);
  const { fact } = outcomeAt(0, 0, attempt, kind, { token: Uint8Array.of(2) });
  if (fact.kind === "outcome") log.appendOutcome(runId, `forged/${clock.now}/${random.next()}`, fact.outcome);
}
