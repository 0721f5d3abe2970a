import { hash } from "node:crypto";
import { createRegistry } from "@bufbuild/protobuf";
import { EmptySchema, StringValueSchema } from "@bufbuild/protobuf/wkt";
import { toCredentials } from "../../../orchestrator/src/processor/credentials.ts";
import { toFact } from "../../../orchestrator/src/processor/fact.ts";
import { toLoadedPlan } from "../../../orchestrator/src/engine/loadPlan.ts";
import type { LoadedPlan } from "../../../orchestrator/src/engine/plan.ts";
import { loadTestExpression } from "../../../orchestrator/src/engine/testing/expression.ts";
import { makeStoredPlan } from "../../../orchestrator/src/engine/testing/plan.ts";
import type { PlanSketch } from "../../../orchestrator/src/engine/testing/sketch.ts";
import type { RunEnded } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { runIdHeader, stepHeader } from "../../../proto/wire/headers.ts";
import type { Execution, StoredMessage } from "../performed.ts";
import { toRandom } from "../random.ts";
import type { Random } from "../random.ts";
import { tellStory } from "../story.ts";
import type { StoredRecord } from "../../../testing/src/partition/log.ts";
import { otherVersion, versionSeeds } from "../versions.ts";
import { toWorkflows } from "../workflow.ts";
import type { Workflows } from "../workflow.ts";
import { leftOf } from "./afterlife.ts";
import { openBucket } from "./buckets.ts";
import { openCallers } from "./callers.ts";
import type { Callers } from "./callers.ts";
import { openChaos, openPeople } from "./chaos.ts";
import { openCrew } from "./crew.ts";
import type { Crew } from "./crew.ts";
import { driftSeeds, openDrifts } from "./drift.ts";
import { toFaults } from "./faults.ts";
import type { Faults } from "./faults.ts";
import { installGlobals } from "./globals.ts";
import { judge } from "./judge.ts";
import { callName } from "./orchestrator.ts";
import { watchVerdicts } from "./verdicts.ts";
import { openMigrations } from "./migrations.ts";
import { openNetwork } from "./network.ts";
import { openCore } from "./questions.ts";
import { openProgress } from "./progress.ts";
import type { Progress } from "./progress.ts";
import { openQueue } from "./queue.ts";
import { openScheduler } from "./scheduler.ts";
import type { Process } from "./scheduler.ts";
import { openService } from "./service.ts";
import type { Script } from "./service.ts";
import type { Stage } from "./stage.ts";
import { dedupeMs, openStream } from "./stream.ts";
import { openTimerStream } from "./timers.ts";
import type { World } from "./world.ts";

/** What one seed came to. */
export interface Simulated {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly records: number;
  /** End states of its runs, by number. */
  readonly ends: readonly number[];
  /** What each caller was told at the end. */
  readonly ended: readonly (RunEnded | undefined)[];
  readonly executions: readonly Execution[];
  readonly virtualMs: number;
  /** Steps of all processes. */
  readonly steps: number;
  /** Migrations by what became of them, and steps that waited for a service that fits. */
  readonly migrations: Readonly<Record<string, number>>;
  readonly drifts: number;
  /** Of everything in the logs and everything that services did. */
  readonly digest: string;
  readonly story: () => readonly string[];
}

const startMs = 1_000_000;
/** What is done to ended runs is chance of its own, so that the rest of a seed stays as it is. */
const laterSeeds = 1_000_000_007;
const endMs = startMs + 2 * 3_600_000;

/** How a simulation goes. */
export interface Scenario {
  readonly seed: number;
  readonly random: Random;
  readonly faults: Faults;
  readonly plans: readonly PlanSketch[];
  /** Those that runs start, by the full name of their rpc. */
  readonly children?: ReadonlyMap<string, PlanSketch>;
  /** Other versions of the plans and of the children, by their place among these. */
  readonly versions?: readonly { readonly of: number; readonly sketch: PlanSketch }[] | undefined;
  readonly partitions: number;
  /** What the service answers; undefined: chance says. */
  readonly script: Script | undefined;
  /** Has callers start runs. */
  readonly begin: (stage: Stage, callers: Callers) => void;
  /** Asked of each process whenever it sends something that matters: does it die of it? */
  readonly dies: ((process: Process) => boolean) | undefined;
  /** Somebody dies, though no fault is on. */
  readonly isDeadly: boolean;
  /** Lines of the story are kept. */
  readonly tells: boolean;
}

/** The whole stack on a random bad day; the seed decides everything. */
export function simulate(seed: number, options: { readonly tells?: boolean } = {}): Promise<Simulated> {
  const random = toRandom(seed);
  const faults = toFaults(random);
  const partitions = random.int(1, 3);
  const workflows = toWorkflows(random, faults.endless, random.int(1, 3));
  const always = { begin: beginSome, script: undefined, dies: undefined, isDeadly: false };
  const versions = versionsOf(toRandom(seed + versionSeeds), faults, workflows);
  return play({ seed, random, faults, ...workflows, versions, partitions, tells: options.tells === true, ...always });
}

/** One seed in three has other versions of its workflows. */
function versionsOf(random: Random, faults: Faults, { plans, children }: Workflows): Scenario["versions"] {
  if (faults.isQuiet || !random.chance(0.33)) return [];
  return [...plans, ...children.values()].flatMap((sketch, of) =>
    Array.from({ length: random.int(0, 2) }, () => ({ of, sketch: otherVersion(random, sketch) })),
  );
}

/** Plays a scenario to its end. */
export async function play(scenario: Scenario): Promise<Simulated> {
  const { seed, random, faults } = scenario;
  const scheduler = openScheduler(startMs);
  using _ = installGlobals(scheduler, random);
  const lines: string[] = [];
  const isFaulty = (): boolean => scheduler.nowMs < startMs + faults.healsMs;
  const tell = (line: () => string): void => {
    if (scenario.tells) lines.push(`${((scheduler.nowMs - startMs) / 1_000).toFixed(3)}s ${line()}`);
  };
  const world: World = {
    scheduler,
    random,
    faults,
    violations: [],
    isQuiet: faults.isQuiet && !scenario.isDeadly,
    isFaulty,
    tell,
  };
  const stage = toStage(world, scenario);
  watchVerdicts(stage);
  const crew = openCrew(stage, scenario.dies);
  const callers = openCallers(stage, () => crew.pick());
  openChaos(stage, crew);
  openPeople(stage, callers, toRandom(seed + laterSeeds));
  openMigrations(stage, callers, toRandom(seed + versionSeeds + 1));
  stage.drift.begin(toRandom(seed + driftSeeds));
  scenario.begin(stage, callers);
  await runUntilQuiet(stage, crew, callers);

  const records = recordsOf(stage);
  const ends = judge(stage, crew, callers, records);
  return {
    seed,
    violations: world.violations,
    records: records.length,
    ends,
    ended: callers.all.map(({ ended }) => ended),
    executions: stage.service.executions,
    virtualMs: scheduler.nowMs - startMs,
    steps: scheduler.steps,
    migrations: stage.counts.migrations,
    drifts: records.filter(isDrift).length,
    digest: digestOf(stage),
    story: () =>
      [...lines, ...tellStory(records, stage.service.executions, startMs)].toSorted(
        (a, b) => Number.parseFloat(a) - Number.parseFloat(b),
      ),
  };
}

function toStage(world: World, { plans, children, versions = [], partitions, script }: Scenario): Stage {
  const network = openNetwork(world);
  const logs = Array.from({ length: partitions }, () => openStream(world));
  const logOf = (partition: number): (typeof logs)[number] => {
    const log = logs[partition];
    if (log === undefined) throw new Error(`there is no partition ${partition}`);
    return log;
  };
  const credentials = toCredentials([Uint8Array.from({ length: 32 }, (_, n) => n)]);
  const attempts = new Map<string, string>();
  const service = openService(world, (request) => attempts.get(callName(request.headers)) ?? "", script);
  const all = [
    ...plans.map((sketch) => toPlan(sketch, workflowName)),
    ...[...(children ?? [])].map(([name, sketch]) => toPlan(sketch, name)),
  ];
  const first = all.length;
  all.push(...versions.map(({ of, sketch }) => toPlan(sketch, all[of]?.plan.workflow ?? workflowName)));
  const familyOf = (number: number): number => versions[number - first]?.of ?? number;
  return {
    world,
    network,
    logs,
    logOf,
    queue: openQueue(world, network),
    timers: openTimerStream(world),
    leases: openBucket(),
    keys: openBucket(),
    holds: openBucket(),
    core: openCore(),
    service,
    layouts: { layout: [{ generation: 0, partitions: logs.length }] },
    credentials,
    plans: all,
    versionsOf: (number) => [...all.keys()].filter((other) => familyOf(other) === familyOf(number)),
    drift: openDrifts(world),
    planOf: ({ started }) => (started === undefined ? undefined : all[started.planHash[0] ?? 0]),
    startable: plans.length,
    ...openUserStream(world),
    states: new Map(),
    tasks: new Map(),
    requests: new Map(),
    attempts,
    closedAt: new Map(),
    counts: { setAside: 0, garbageTasks: 0, callers: 0, migrations: {} },
  };
}

/** Where runs emit to. */
function openUserStream({ scheduler }: World): Pick<Stage, "messages" | "takeMessage"> {
  const messages: StoredMessage[] = [];
  const ids = new Map<string, number>();
  return {
    messages,
    takeMessage: (id, headers) => {
      const knownAt = ids.get(id);
      if (knownAt !== undefined && scheduler.nowMs - knownAt < dedupeMs) return;
      ids.set(id, scheduler.nowMs);
      const [runId = "", step = ""] = [headers.get(runIdHeader), headers.get(stepHeader)];
      messages.push({ id, runId, step, storedAt: Math.floor(scheduler.nowMs) });
    },
  };
}

const registry = createRegistry(EmptySchema, StringValueSchema);

/** Of all workflows that callers start. */
const workflowName = "test.v1.Workflow/Run";

function toPlan(sketch: PlanSketch, workflow: string): LoadedPlan {
  const stored = { ...makeStoredPlan(sketch), workflow, requestType: "google.protobuf.StringValue" };
  return toLoadedPlan(stored, registry, loadTestExpression);
}

function beginSome(stage: Stage, callers: Callers): void {
  const { scheduler, random, faults } = stage.world;
  for (let n = random.int(1, 4); n > 0; n--) {
    const number = random.int(0, stage.startable - 1);
    const plan = stage.plans[number];
    if (plan === undefined) continue;
    const key = random.chance(0.5) ? "" : `key ${n}`;
    const inMs = random.chance(0.6) ? random.int(0, 500) : random.int(0, faults.healsMs);
    const callersOfIt = key !== "" && !faults.isQuiet && random.chance(0.3) ? 2 : 1;
    for (let c = 0; c < callersOfIt; c++)
      scheduler.after(undefined, inMs + c * random.int(0, 2_000), () => callers.begin(plan, number, key));
    stage.counts.callers += callersOfIt;
  }
}

async function runUntilQuiet(stage: Stage, crew: Crew, callers: Callers): Promise<void> {
  const { scheduler } = stage.world;
  const progress = openProgress(stage);
  let isDone = false;
  const look = (): void => {
    isDone = stage.logs.some(({ messages }) => messages.length > 20_000) || isQuiet(stage, crew, callers, progress);
    scheduler.after(undefined, 500, look);
  };
  look();
  await scheduler.run(endMs, () => isDone);
}

/** All has ended and been told, nothing is left in the queue or the timers, and nobody stands still. */
function isQuiet(stage: Stage, crew: Crew, callers: Callers, progress: Progress): boolean {
  const { world, network, queue, timers } = stage;
  if (world.isFaulty() || crew.isStopped() || network.isStalled() || callers.pending.size > 0) return false;
  if (callers.all.length < stage.counts.callers) return false;
  if (callers.all.some(({ ended, isLost }) => ended === undefined && !isLost)) return false;
  if (queue.tasks.length > 0 || crew.held() > 0 || progress.open() > 0 || !progress.isCheckpointed()) return false;
  if (leftOf(stage, callers.deleted).length > 0) return false;
  checkArmed(stage);
  return timers.armed.size === 0;
}

/** PROTOCOL §12.10: all has ended, and what was asked for by the ends is durable; only ends of closed attempts may still come. */
function checkArmed({ world, timers }: Stage): void {
  if (mayBeOvertaken(world)) return;
  for (const name of timers.armed.keys())
    if (/\/\d{1,9}$/.test(name) && !timers.uncancelled.has(name))
      world.violations.push(`10: ${name} is armed for ever`);
}

/** Another owner, or one that stood still, may arm a timer behind its cancellation. */
function mayBeOvertaken({ faults, ...world }: World): boolean {
  if (faults.isQuiet) return !world.isQuiet;
  const { orchestratorDies, orchestratorStops, orchestratorLeaves, diesAtSend, outage, stall } = faults;
  return orchestratorDies + orchestratorStops + orchestratorLeaves + diesAtSend + outage + stall > 0;
}

function recordsOf(stage: Stage): readonly StoredRecord[] {
  const { logs, credentials } = stage;
  return logs.flatMap(({ messages }) =>
    messages.flatMap((message) => {
      const fact = toFact(message, credentials);
      return fact.kind === "record" ? [{ runId: fact.runId, record: fact.record }] : [];
    }),
  );
}

function isDrift({ record: { fact } }: StoredRecord): boolean {
  return fact.kind === "event" && fact.event.kind?.$case === "commandDeferred" && fact.event.kind.value.drift;
}

function digestOf({ logs, service, world }: Stage): string {
  const parts = logs.flatMap(({ messages }) =>
    messages.map(
      ({ sequence, storedMs, subject, data }) => `${sequence} ${storedMs} ${subject} ${hash("sha256", data, "hex")}`,
    ),
  );
  const calls = service.executions.map((it) => JSON.stringify(it));
  const text = [...parts, ...calls, world.scheduler.nowMs, world.scheduler.steps, ...world.violations].join("\n");
  return hash("sha256", text, "hex");
}
