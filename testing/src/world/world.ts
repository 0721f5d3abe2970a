import type { EmitMessage, StartChild } from "../../../orchestrator/src/engine/command.ts";
import { toStatus } from "../../../orchestrator/src/engine/failure.ts";
import type { LoadedPlan } from "../../../orchestrator/src/engine/plan.ts";
import type { Refusal } from "../../../orchestrator/src/engine/refusal.ts";
import type { RunState } from "../../../orchestrator/src/engine/state.ts";
import type { Event, Limits, RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { toHex, toRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { sha256 } from "../../../proto/wire/sha256.ts";
import { code } from "../../../proto/wire/status.ts";
import { openClock } from "../partition/clock.ts";
import type { Clock } from "../partition/clock.ts";
import { stepOf } from "../partition/commandName.ts";
import { goodToken, openLog } from "../partition/log.ts";
import type { PartitionLog } from "../partition/log.ts";
import type { AnswerCall } from "./call.ts";
import type { WorldGround } from "./ground.ts";
import { usualLimits } from "./limits.ts";
import { openOwner } from "./owner.ts";
import type { Owner } from "./owner.ts";
import { openSidecars } from "./sidecar.ts";
import type { MadeCall } from "./sidecar.ts";
import { toChildStarted, toStarted } from "./starting.ts";
import type { Start } from "./starting.ts";

/** What a world is made of. */
export interface WorldOptions {
  /** Workflows that can be started, by the full name of their rpc. */
  readonly workflows: ReadonlyMap<string, LoadedPlan>;
  /** All services. */
  readonly answer: AnswerCall;
  /** When it begins, in milliseconds since 1970. */
  readonly startMs: number;
  readonly limits?: Partial<Limits> | undefined;
}

/** A message that an emit step has sent. */
export interface EmittedMessage {
  readonly runId: string;
  /** Path of the step. */
  readonly step: string;
  readonly subject: string;
  /** Full name of the message's type. */
  readonly type: string;
  readonly message: Uint8Array;
  readonly atMs: number;
}

/** What became of an event that was written from outside. */
export interface Written {
  /** It changed nothing. */
  readonly ignored: boolean;
  readonly refusal: Refusal | "";
}

/**
 * Orchestrator, sidecars, log, timers and services in one process with virtual time: the engine is the product's, the rest stands for what
 * a product needs NATS and processes for. Nothing happens unless somebody steps.
 */
export interface World {
  readonly clock: Clock;
  readonly log: PartitionLog;
  readonly calls: readonly MadeCall[];
  readonly emitted: readonly EmittedMessage[];
  /** Ids of all runs, in the order of their starts. */
  readonly runIds: readonly string[];
  /** What is waited for in real time. */
  readonly underWay: ReadonlySet<Promise<void>>;
  /** As the orchestrator knows it; while it is away, as it knew it last. */
  stateOf(runId: string): RunState | undefined;
  planOf(runId: string): LoadedPlan | undefined;
  /** The run of a key. */
  find(workflow: string, key: string): string | undefined;
  /** Starts a run, or says why not; the same key and request again are the same run. */
  start(start: Start): RunId | RpcStatus;
  /** Writes an event into a run's log. */
  write(runId: string, event: NonNullable<Event["kind"]>): Written;
  /** Reads the log to its end, and does the next thing that is due until then; false: nothing is. */
  step(untilMs: number): boolean;
  /** The orchestrator dies now; another one takes over after this. */
  crashOrchestrator(awayMs: number): void;
}

/** How long nobody owns the log after a death. */
export const takeoverMs = 5_000;

/** Opens one; nothing in it is started. */
export function openWorld({ workflows, answer, startMs, limits }: WorldOptions): World {
  const clock = openClock(startMs);
  const doubles = new Set<string>();
  const isDouble = (id: string): boolean => doubles.size === doubles.add(id).size;
  const log = openLog({ now: () => clock.now, isDouble, isAuthentic: ({ token }) => token === goodToken });
  const emitted: EmittedMessage[] = [];
  const sidecars = openSidecars({
    clock,
    log,
    answer,
    ask: (question) => inner.owner?.answer(question) ?? "not now",
    onOrchestratorDeath: () => crash(inner, takeoverMs),
  });
  const inner: Inner = {
    bounds: { ...usualLimits, ...limits },
    turns: new Map(),
    keys: new Map(),
    runIds: [],
    owner: undefined,
    last: undefined,
    ground: {
      clock,
      log,
      sidecars,
      plans: new Map(),
      deployed: workflows,
      timers: new Set(),
      known: new Set(),
      publish: (isAlive, store, done) => {
        if (isAlive()) done(store());
      },
      toChild: (parentId, childId, plan, command) => toChild(inner, parentId, childId, plan, command),
      emit: (runId, command) => {
        if (!isDouble(`emit/${runId}/${stepOf(command)}`)) emitted.push(toEmitted(runId, command, clock.now));
      },
      stateOf: (runId) => stateOf(inner, runId),
    },
  };
  takeOver(inner);
  return {
    clock,
    log,
    calls: sidecars.calls,
    emitted,
    runIds: inner.runIds,
    underWay: sidecars.underWay,
    stateOf: (runId) => stateOf(inner, runId),
    planOf: (runId) => inner.ground.plans.get(runId),
    find: (workflow, key) => inner.keys.get(`${workflow}\0${key}`)?.runId,
    start: (start) => startRun(inner, start),
    write: (runId, event) => writeEvent(inner, runId, event),
    step: (untilMs) => stepOnce(inner, untilMs),
    crashOrchestrator: (awayMs) => crash(inner, awayMs),
  };
}

/** All of a world. */
interface Inner {
  readonly ground: WorldGround;
  readonly bounds: Limits;
  /** What became of each record, by its sequence. */
  readonly turns: Map<number, Written>;
  readonly keys: Map<string, HeldKey>;
  readonly runIds: string[];
  /** Undefined: nobody owns the log now. */
  owner: Owner | undefined;
  last: Owner | undefined;
}

interface HeldKey {
  readonly runId: RunId;
  readonly started: RunStarted;
}

function stateOf({ owner, last }: Inner, runId: string): RunState | undefined {
  return (owner ?? last)?.states.get(runId);
}

function takeOver(inner: Inner): void {
  inner.owner = openOwner(inner.ground, (_, sequence, { ignored, refusal }) => {
    inner.turns.set(sequence, { ignored, refusal });
  });
  inner.last = inner.owner;
}

function crash(inner: Inner, awayMs: number): void {
  if (inner.owner === undefined) return;
  inner.owner.die();
  inner.owner = undefined;
  inner.ground.clock.after(awayMs, () => takeOver(inner));
}

function startRun(inner: Inner, start: Start): RunId | RpcStatus {
  const { ground, bounds, keys, runIds } = inner;
  const { clock, log, plans } = ground;
  const started = toStarted(start, clock.now, bounds);
  if (!("workflow" in started)) return started;
  const held = started.key === "" ? undefined : keys.get(`${started.workflow}\0${started.key}`);
  if (held !== undefined) return sameStart(held, started);
  const runId = toRunId(clock.now, 0, 0, sha256(`run ${runIds.length}`));
  holdKey(inner, runId, started);
  plans.set(runId, start.plan);
  log.appendEvent(runId, `start/${runId}`, { $case: "runStarted", value: started });
  inner.owner?.readOn();
  return runId;
}

function sameStart(held: HeldKey, again: RunStarted): RunId | RpcStatus {
  if (toHex(held.started.requestHash) === toHex(again.requestHash)) return held.runId;
  return toStatus(code.ALREADY_EXISTS, `run ${held.runId} has this key and another request`);
}

function toChild(
  inner: Inner,
  parentId: string,
  childId: RunId,
  plan: LoadedPlan,
  command: StartChild,
): RunStarted | RpcStatus {
  const parent = { runId: parentId, started: stateOf(inner, parentId)?.started };
  const made = toChildStarted(parent, plan, command, inner.ground.clock.now, inner.bounds);
  return "workflow" in made ? (holdKey(inner, childId, made) ?? made) : made;
}

/** Undefined: the key is the run's, or it has none. */
function holdKey({ keys, runIds }: Inner, runId: RunId, started: RunStarted): RpcStatus | undefined {
  const name = `${started.workflow}\0${started.key}`;
  const held = started.key === "" ? undefined : keys.get(name);
  if (held !== undefined && held.runId !== runId)
    return toStatus(code.ALREADY_EXISTS, `the key belongs to run ${held.runId}`);
  if (started.key !== "") keys.set(name, { runId, started });
  if (!runIds.includes(runId)) runIds.push(runId);
  return undefined;
}

function writeEvent(
  { ground: { log }, turns, owner }: Inner,
  runId: string,
  event: NonNullable<Event["kind"]>,
): Written {
  const sequence = log.records.length + 1;
  log.appendEvent(runId, `written/${sequence}`, event);
  owner?.readOn();
  return turns.get(sequence) ?? { ignored: false, refusal: "" };
}

function stepOnce(inner: Inner, untilMs: number): boolean {
  const { clock } = inner.ground;
  inner.owner?.readOn();
  const { nextMs } = clock;
  if (nextMs === undefined || nextMs > untilMs) return false;
  clock.step();
  // Another one may own the log by now.
  inner.owner?.readOn();
  return true;
}

function toEmitted(runId: string, command: EmitMessage, atMs: number): EmittedMessage {
  const { subject, type, message, at } = command;
  return { runId, step: at.step, subject, type, message, atMs };
}
