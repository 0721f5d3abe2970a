import { openProcessor } from "../../../orchestrator/src/processor/processor.ts";
import type { Ports, Processor } from "../../../orchestrator/src/processor/processor.ts";
import type { Bounds } from "../../../orchestrator/src/processor/ownership.ts";
import type { Plans, TurnObserver, Workflows } from "../../../orchestrator/src/processor/ports.ts";
import { noLimits } from "../../../orchestrator/src/engine/testing/records.ts";
import type { Log } from "../../../runtime/src/log.ts";
import { Task } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { attemptKey } from "../../../proto/wire/attempt.ts";
import { attemptHeader, idempotencyKeyHeader } from "../../../proto/wire/headers.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import { checkTurn } from "../rules/run.ts";
import { toHolds, toKeys, toLeases } from "./buckets.ts";
import { toPartitionLog } from "./log.ts";
import type { Link } from "./network.ts";
import { toBeats, toControl, toQuestions } from "./questions.ts";
import type { Process } from "./scheduler.ts";
import type { Stage } from "./stage.ts";
import { toTimers } from "./timers.ts";
import type { World } from "./world.ts";
import { write } from "./write.ts";

/** An orchestrator's process: the real processor on simulated ports. */
export interface SimOrchestrator {
  readonly process: Process;
  readonly link: Link;
  /** Undefined until it has begun. */
  readonly processor: () => Processor | undefined;
  isLeaving: boolean;
}

/** Starts one. */
export function openOrchestrator(stage: Stage, name: string): SimOrchestrator {
  const { world, network } = stage;
  const { scheduler, random, faults } = world;
  const process: Process = { name, isAlive: true, pausedUntilMs: 0 };
  const link = network.open(process);
  const clockErrorMs = faults.skewMsMax === 0 ? 0 : random.int(-300, 300);
  let processor: Processor | undefined;
  scheduler.after(process, 0, () => {
    processor = openProcessor({
      orchestrator: name,
      member: { version: "sim", address: "" },
      layouts: stage.layouts,
      ports: toPorts(stage, link),
      plans: toPlans(stage, link),
      workflows: toWorkflows(stage, link),
      credentials: stage.credentials,
      observer: toObserver(stage),
      drift: stage.drift.viewOf(process),
      limits: { ...noLimits, payloadBytesMax: 262_144, evaluationStepsMax: 100_000, pendingStepsMax: 1_000 },
      requestBytesMax: 262_144,
      backlogMax: 50_000,
      startsMax: 1_000,
      now: () => scheduler.nowMs + clockErrorMs,
      randomBytes: (count) => Uint8Array.from({ length: count }, () => random.int(0, 255)),
      logger: toLog(world, name),
      bounds: boundsOf(world),
    });
  });
  return { process, link, processor: () => processor, isLeaving: false };
}

/** Small ones make runs leave the memory and come back, windows come in parts, and histories are cut. */
function boundsOf({ random }: World): Partial<Bounds> {
  if (random.chance(0.5)) return {};
  const idleMs = random.int(50, 3_000);
  const takeoverPart = random.int(1, 20);
  const unfinishedMax = random.int(8, 100);
  const due = { duePortion: random.int(1, 3), dueLoadsMax: random.int(1, 2) };
  return { idleMs, endedIdleMs: 10, takeoverPart, loadsMax: 2, unfinishedMax, snapshotEvery: takeoverPart + 2, ...due };
}

function toPorts(stage: Stage, link: Link): Ports {
  const { world, network } = stage;
  const control = toControl(network, link, stage.core);
  return {
    logOf: (partition) => toPartitionLog(world, network, link, stage.logOf(partition), partition),
    tasks: {
      publish: (_method, id, body, limits) => {
        noteTask(stage, id, body);
        const store = (): { readonly kind: "stored"; readonly sequence: number } => {
          stage.queue.store(id, body);
          return { kind: "stored", sequence: 1 };
        };
        return write(world, network, link, { place: "tasks", store, standsAt: () => undefined }, limits);
      },
    },
    messages: {
      publish: ({ id, headers }, limits) => {
        const store = (): { readonly kind: "stored"; readonly sequence: number } => {
          stage.takeMessage(id, new Map(headers));
          return { kind: "stored", sequence: 1 };
        };
        return write(world, network, link, { place: "tasks", store, standsAt: () => undefined }, limits);
      },
    },
    timers: toTimers(world, network, link, stage.timers, stage.logOf),
    control: {
      reset: (method, runId, attempt, token) => {
        const key = attemptKey(runId, attempt);
        if (!stage.closedAt.has(key)) stage.closedAt.set(key, world.scheduler.nowMs);
        control.reset(method, runId, attempt, token);
      },
    },
    leases: toLeases(world, network, link, stage.leases),
    beats: toBeats(network, link, stage.core),
    members: { announce: () => Promise.resolve(), withdraw: () => Promise.resolve() },
    payloads: {
      put: () => Promise.reject(new Error("nothing is large here")),
      get: () => Promise.resolve(undefined),
      remove: () => Promise.resolve(),
      runs: () => Promise.resolve(new Set<string>()),
    },
    keys: toKeys(world, network, link, stage.keys),
    holds: toHolds(world, network, link, stage.holds),
    questions: toQuestions(world, network, link, stage.core),
    hearsSinceMs: () => (link.isConnected ? link.connectedAtMs : undefined),
  };
}

/** PROTOCOL §12.6: a task's id is that of its attempt, whoever asks for it; equal ids have equal bytes, but for what may change. */
function noteTask(stage: Stage, id: string, body: Uint8Array): void {
  const { attempt, request, headers, timeoutMs, token, claim, runId, method } = Task.decode(body);
  const shown = headers.map(({ key, value }) => `${key}=${toHex(value)}`).join();
  const bytes = [method, toHex(runId), attempt?.step, toHex(request), shown, timeoutMs, toHex(token), claim].join("|");
  stage.attempts.set(callName(headers), id);
  if (attempt === undefined || attemptKey(toHex(runId), attempt) !== id)
    stage.world.violations.push(`6: a task of ${attempt?.step} has the id ${id}`);
  const before = stage.tasks.get(id);
  stage.tasks.set(id, bytes);
  if (before !== undefined && before !== bytes) stage.world.violations.push(`6: two tasks of the id ${id}`);
  const key = headers.find(({ key: name }) => name === idempotencyKeyHeader)?.value ?? new Uint8Array();
  const call = `${toHex(key)} ${attempt?.phase}`;
  const sent = stage.requests.get(call) ?? toHex(request);
  stage.requests.set(call, sent);
  if (sent !== toHex(request)) stage.world.violations.push(`6: two requests of the idempotency key of ${id}`);
}

/** A logical call and its attempt, as the service sees them. */
export function callName(headers: readonly { readonly key: string; readonly value: Uint8Array }[]): string {
  const text = (name: string): string => new TextDecoder().decode(headers.find(({ key }) => key === name)?.value);
  return `${text(idempotencyKeyHeader)}/${text(attemptHeader)}`;
}

function toPlans({ network, plans }: Stage, link: Link): Plans {
  return {
    load: async (hash) => {
      const found = await network.call(link, "keys", () => ({ plan: plans[hash[0] ?? 0] }));
      if (found === undefined) throw new Error("the definitions do not answer");
      return found.plan;
    },
  };
}

function toWorkflows({ network, plans }: Stage, link: Link): Workflows {
  return {
    active: async (workflow) => {
      const found = await network.call(link, "keys", () => ({
        index: plans.findIndex(({ plan }) => plan.workflow === workflow),
      }));
      if (found === undefined) throw new Error("the definitions do not answer");
      const plan = plans[found.index];
      return plan === undefined ? undefined : { workflow, version: 1, plan, planHash: Uint8Array.of(found.index) };
    },
    refresh: () => Promise.resolve(),
  };
}

function toObserver({ world, states }: Stage): TurnObserver {
  return {
    opened: () => undefined,
    turn: ({ runId, state }, record, turn) => {
      // Who has been left behind and goes on tells nothing new.
      if ((states.get(runId)?.lastSequence ?? 0) <= state.lastSequence) states.set(runId, state);
      const wasEnded = state.ended !== undefined && !isEnd(record.fact);
      checkTurn(world, state, turn, wasEnded);
    },
    closed: () => undefined,
    tracedUpTo: (_partition, checkpoint) => checkpoint,
  };
}

function isEnd(fact: Parameters<TurnObserver["turn"]>[1]["fact"]): boolean {
  return fact.kind === "event" && fact.event.kind?.$case === "runEnded";
}

/** What must not happen whatever the day is like. */
const bugs: ReadonlySet<string> = new Set([
  "the work on a partition failed; it is left",
  "a run can't be folded and is left alone",
  "THE LOG LOST DATA: it ends before what had been folded; going on from an older checkpoint",
]);

function toLog(world: World, name: string): Log {
  const line = (level: string, message: string, fields: object = {}): void => {
    if (bugs.has(message)) world.violations.push(`${message} ${JSON.stringify(fields, errorToo)}`);
    world.tell(() => `${name} ${level}: ${message} ${JSON.stringify(fields, errorToo)}`);
  };
  const log: Log = {
    isDebug: false,
    debug: () => undefined,
    info: (message, fields) => line("info", message, fields),
    warn: (message, fields) => line("warn", message, fields),
    error: (message, fields) => line("error", message, fields),
    with: () => log,
  };
  return log;
}

function errorToo(_key: string, value: unknown): unknown {
  return value instanceof Error ? (value.stack ?? value.message) : value;
}

/** Hands everything over, then it is gone. */
export function leave(world: World, orchestrator: SimOrchestrator): void {
  const { process } = orchestrator;
  orchestrator.isLeaving = true;
  const gone = (): void => void (process.isAlive = false);
  world.scheduler.after(process, 0, () => {
    const processor = orchestrator.processor();
    if (processor === undefined) gone();
    else void processor[Symbol.asyncDispose]().then(gone);
  });
  world.scheduler.after(undefined, 20_000, gone);
}
