import { makeFailure, makeStarted, outcomeAt } from "../../../orchestrator/src/engine/testing/records.ts";
import { fromHex, toHex, toRunId } from "../../../proto/wire/runId.ts";
import { openClock } from "../../../testing/src/partition/clock.ts";
import { goodToken, openLog } from "../../../testing/src/partition/log.ts";
import type { SimGround } from "./ground.ts";
import { engine as realEngine } from "../engine.ts";
import type { Engine } from "../engine.ts";
import { toFaults } from "./faults.ts";
import { checkClosed, checkRun, checkSame, refold } from "../rules/run.ts";
import { checkTogether } from "../rules/outside.ts";
import type { Refolded } from "../rules/run.ts";
import { openOwnership } from "./owner.ts";
import type { Lease } from "./owner.ts";
import { openQueue } from "./queue.ts";
import { afterEnd, bother, helpWith, toAfterlife } from "../people.ts";
import type { Request } from "../people.ts";
import { toRandom } from "../random.ts";
import type { Random } from "../random.ts";
import { tellStory } from "../story.ts";
import { openService } from "./service.ts";
import { openSidecars } from "./sidecar.ts";
import { openTimers } from "./timers.ts";
import { toWorkflows } from "../workflow.ts";
import { openDedupe, publish, strikes, wireMs } from "./world.ts";
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
/** What is done to ended runs is chance of its own, so that the rest of a seed stays as it is. */
const laterSeeds = 1_000_000_007;
/** Without faults a cancellation does not take longer. */
const cancelledWithinMs = 2_000;
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
  const log = openLog({
    now: () => clock.now,
    isDouble: openDedupe(world),
    isAuthentic: ({ token }) => broken.has("token not checked") || token === goodToken,
  });
  const queue = openQueue(world);
  const timers = openTimers(world);
  const service = openService(world);
  const sidecars = openSidecars(world, { log, queue, service }, (question, answer) => {
    clock.after(wireMs(world), () => {
      const verdict = lease.owner === undefined ? "not now" : lease.owner.answer(question);
      clock.after(wireMs(world), () => answer(verdict));
    });
  });
  const workflows = toWorkflows(random, faults.endless, random.int(1, 3));
  const plans = new Map(
    workflows.plans.map((sketch, n) => [
      toRunId(startMs, 0, n + 1, new Uint8Array(8)) as string,
      engine.makePlan(sketch),
    ]),
  );
  const ground: SimGround = {
    world,
    engine,
    log,
    queue,
    timers,
    plans,
    deployed: new Map([...workflows.children].map(([name, sketch]) => [name, engine.makePlan(sketch)])),
    publish: (isAlive, store, done) => publish(world, isAlive, store, done),
    toChild: (parentId, _, __, command) => {
      const { workflow, at, detach } = command;
      const parent = { runId: fromHex(parentId), ...at };
      return makeStarted({ workflow, request: command.request, ...(detach ? { detachedFrom: parent } : { parent }) });
    },
    reset: (runId, attempt) => sidecars.reset(runId, attempt),
    published: new Map(),
    closedAt: new Map(),
    messages: [],
    isDoubleMessage: openDedupe(world),
  };
  const lease: Lease = openOwnership(ground);
  // In one seed of four a turn begins two steps at most, so that most turns are too long.
  for (const runId of plans.keys()) begin(ground, runId, seed % 4 === 0 ? 2 : 0);
  attend(ground, lease, toRandom(seed + laterSeeds));
  let isDone = false;
  const look = (): void => {
    if (world.isQuiet) checkArmed(ground, lease);
    isDone = log.records.length > 20_000 || isQuiet(ground, lease);
    clock.after(500, look);
  };
  look();
  clock.run(endMs, () => isDone);

  const ends: number[] = [];
  lease.owner?.catchUp();
  const runs = new Map<string, Refolded>();
  for (const [runId, plan] of plans) {
    const run = refold(engine, plan, log.records, runId);
    const live = lease.owner?.states.get(runId);
    runs.set(runId, run);
    if (live !== undefined) checkSame(world, live, run);
    checkRun(world, run, service.executions);
    ends.push(run.state.ended?.state ?? 0);
  }
  checkClosed(world, service.executions, ground.closedAt);
  checkTogether(world, { runs, records: log.records, messages: ground.messages, isOneClock: true });
  for (const [lock, { queue: holders }] of lease.owner?.locks ?? [])
    if (holders.size > 0) violations.push(`10: ${lock} is not free`);
  return {
    seed,
    violations,
    records: log.records.length,
    ends,
    virtualMs: clock.now - startMs,
    story: () => tellStory(log.records, service.executions, startMs),
  };
}

/** All has ended, and nothing is left in the queue, in the timers or at the locks. */
function isQuiet({ world, plans, timers, queue }: SimGround, { owner }: Lease): boolean {
  if (world.isFaulty() || owner === undefined) return false;
  for (const runId of plans.keys()) {
    const { ended, rerun } = owner.states.get(runId) ?? {};
    if (ended === undefined || (rerun !== undefined && !plans.has(toHex(rerun.runId)))) return false;
  }
  for (const lock of owner.locks.values()) if (lock.queue.size > 0) return false;
  return timers.armed.size === 0 && queue.tasks.every((task) => task.isAcked);
}

/** PROTOCOL §12.10: a run that ended a while ago has no timer of its own any more. */
function checkArmed({ world, timers }: SimGround, { owner }: Lease): void {
  for (const name of timers.armed) {
    const [runId = "", number] = name.split("/");
    const state = owner?.states.get(runId);
    if (state?.ended !== undefined && number !== undefined && state.endedMs < world.clock.now - cancelledWithinMs)
      world.violations.push(`10: timer ${number} of ${runId} is armed after the end`);
  }
}

function begin({ world, log }: SimGround, runId: string, turnStepsMax: number): void {
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
  log: SimGround["log"],
  runId: string,
  kind: "cancelRequested" | "terminateRequested",
  value: { readonly reason: string; readonly actor: string; readonly requestId: string },
): void {
  log.appendEvent(runId, `${kind}/${runId}`, { $case: kind, value });
  if (strikes(world, 0.3)) log.appendEvent(runId, `${kind}/again/${runId}`, { $case: kind, value });
}

/** People do what runs wait for, and what none waits for; somebody forges outcomes. */
function attend({ world, log, plans }: SimGround, lease: Lease, later: Random): void {
  const { clock, random, faults } = world;
  let count = 0;
  const id = (): string => `request ${++count}`;
  const nextRunId = (): Uint8Array => fromHex(toRunId(clock.now, 1, ++count, new Uint8Array(8)));
  const afterlife = toAfterlife(later, { requestId: id, runId: nextRunId });
  const send = (runId: string, asked: Request): void => {
    const name = `${asked.$case}/${runId}/${++count}`;
    log.appendEvent(runId, name, asked);
    if (!strikes(world, faults.double)) return;
    clock.after(random.int(1, 3_000), () => log.appendEvent(runId, `${name}/again`, asked));
  };
  const look = (): void => {
    for (const runId of plans.keys()) {
      const state = lease.owner?.states.get(runId);
      if (state !== undefined && strikes(world, faults.bothers)) send(runId, bother(random, id));
      const plan = plans.get(runId);
      if (state !== undefined && plan !== undefined)
        for (const asked of afterEnd(afterlife, plan, state)) send(runId, asked);
      if (state === undefined || state.ended !== undefined) continue;
      for (const asked of helpWith(random, state, id)) send(runId, asked);
      if (strikes(world, faults.forged)) forge(world, log, runId);
    }
    clock.after(random.int(500, 3_000), look);
  };
  look();
}

function forge(world: World, log: SimGround["log"], runId: string): void {
  const { clock, random } = world;
  const attempt = { step: `s${random.int(0, 3)}`, generation: 0, phase: 0, attempt: random.int(1, 2) } as const;
  const kind = random.chance(0.7)
    ? ({ $case: "completed", value: new TextEncoder().encode("forged") } as const)
    : ({ $case: "failed", value: makeFailure("NOT_FOUND", "forged") } as const);
  const { fact } = outcomeAt(0, 0, attempt, kind, { token: Uint8Array.of(2) });
  if (fact.kind === "outcome") log.appendOutcome(runId, `forged/${clock.now}/${random.next()}`, fact.outcome);
}
