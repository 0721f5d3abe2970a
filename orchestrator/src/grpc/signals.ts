import type { Metadata } from "@grpc/grpc-js";
import { idempotencyKeyHeader } from "../../../proto/wire/headers.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { evaluateInboundKey, evaluateStart, misfitOf, openLanes } from "../processor/inbound.ts";
import type { LoadedPlan, SignalPlan } from "../engine/plan.ts";
import type { Lanes } from "../processor/inbound.ts";
import { actorOf } from "./access.ts";
import { absenceFailure, refusalFailure, tooLarge, workflowNotFound } from "./failure.ts";
import { tooLong } from "./lengths.ts";
import { keyNotFound, notInVersion, refusedFailure, wrongType } from "./runFailure.ts";
import { header, startRun } from "./starting.ts";
import type { IngressOptions } from "./starting.ts";
import { done, failed } from "./unary.ts";
import type { Answered } from "./unary.ts";

/** A signal on its way to a run. */
export interface Signal {
  readonly name: string;
  readonly payload: Uint8Array;
  /** Full name of the payload's type, as the one who sends it knows it; undefined: it is the run's version that knows. */
  readonly type: string | undefined;
  /** The same id again is dropped; empty: a signal of its own. */
  readonly id: string;
  readonly actor: string;
}

/** A call of an rpc that delivers a signal. */
export interface SignalCall {
  /** Full name of the rpc. */
  readonly method: string;
  readonly workflow: string;
  readonly request: Uint8Array;
  readonly metadata: Metadata;
  readonly deadlineMs: number;
}

/** Signals as a front door takes them: those to one run, or one key, are stored in the order of their arrival. */
export interface Signals {
  /** Answers with the run, once it has folded the signal. */
  call(call: SignalCall): Promise<Answered<RunId>>;
  toRun(runId: RunId, signal: Signal): Promise<Answered<RunId>>;
  toKey(workflow: string, key: string, signal: Signal): Promise<Answered<RunId>>;
}

const requestTimeoutMs = 10_000;
/** Signals to one key or one run that may wait at a front door. */
const waitingMax = 1_000;

/** Opens them over the front. */
export function openSignals(options: IngressOptions): Signals {
  const ground: Ground = { ...options, lanes: openLanes(waitingMax) };
  return {
    call: (call) => takeCall(ground, call),
    toRun: async (runId, signal) => answerOf(await sendTo(ground, runId, signal)),
    toKey: async (workflow, key, signal) =>
      answerOf(await inLane(ground, `${workflow}\0${key}`, () => sendToKey(ground, workflow, key, signal))),
  };
}

/** Signals to runs that are known by their ids. */
export function openRunSignals(options: Pick<IngressOptions, "front" | "payloadBytesMax">): Pick<Signals, "toRun"> {
  const ground: RunGround = { ...options, lanes: openLanes(waitingMax) };
  return { toRun: async (runId, signal) => answerOf(await sendTo(ground, runId, signal)) };
}

interface RunGround extends Pick<IngressOptions, "front" | "payloadBytesMax"> {
  readonly lanes: Lanes<string>;
}

interface Ground extends IngressOptions, RunGround {}

/** A signal that is in the run's lane: what is sent after it is stored after it. */
interface Sent {
  readonly answer: Promise<Answered<RunId>>;
}

async function answerOf(sent: Answered<Sent>): Promise<Answered<RunId>> {
  return sent.kind === "failure" ? sent : sent.answer.answer;
}

async function inLane(ground: RunGround, name: string, send: () => Promise<Answered<Sent>>): Promise<Answered<Sent>> {
  const sent = await ground.lanes(name, send);
  return sent === "full" ? failed(refusalFailure({ kind: "exhausted", retryAfterMs: 1_000 })) : sent;
}

async function takeCall(ground: Ground, call: SignalCall): Promise<Answered<RunId>> {
  const { method, workflow, request, metadata } = call;
  const { payloadBytesMax, definitions } = ground;
  if (request.length > payloadBytesMax) return failed(tooLarge(request.length, payloadBytesMax));
  const id = header(metadata, idempotencyKeyHeader) ?? "";
  const active = await definitions.active(workflow);
  const plan = active?.plan.signals.find((one) => one.method === method);
  if (active === undefined || plan?.key === undefined) return failed(workflowNotFound(method));
  const misfit = misfitOf(active.plan, plan.type, request);
  if (misfit !== undefined) return failed(wrongType(misfit));
  const key = evaluateInboundKey(plan.key, request);
  if (key.kind === "failed") return failed(refusalFailure({ kind: "invalid", message: key.message }));
  const long = tooLong({ key: key.key }) ?? tooLong({ key: id });
  if (long !== undefined) return failed(long);
  const signal: Signal = { name: plan.name, payload: request, type: plan.type, id, actor: actorOf(metadata) };
  const sent = await inLane(ground, `${workflow}\0${key.key}`, async () => {
    const found = await findOrStart(ground, call, plan, key.key);
    return found.kind === "failure" ? found : sendTo(ground, found.answer, signal);
  });
  return answerOf(sent);
}

async function sendToKey(ground: Ground, workflow: string, key: string, signal: Signal): Promise<Answered<Sent>> {
  const found = await ground.front.find(workflow, key);
  if (found.kind === "found") return sendTo(ground, found.runId, signal);
  return failed(found.kind === "unknown" ? keyNotFound(workflow, key) : refusalFailure(found));
}

/** Puts a signal into the run's lane, when the run's own version takes it. */
function sendTo(ground: RunGround, runId: RunId, signal: Signal): Promise<Answered<Sent>> {
  const { front, payloadBytesMax } = ground;
  const { payload } = signal;
  if (payload.length > payloadBytesMax) return Promise.resolve(failed(tooLarge(payload.length, payloadBytesMax)));
  return inLane(ground, runId, async () => {
    const found = await front.planOf(runId, (plan) => unfitFor(runId, signal, plan) === undefined);
    if (found.kind !== "plan") return failed(absenceFailure(runId, found));
    return unfitFor(runId, signal, found.plan) ?? done({ answer: store(ground, runId, signal) });
  });
}

/** Begins at once; answers when the signal has been folded. */
async function store(ground: RunGround, runId: RunId, signal: Signal): Promise<Answered<RunId>> {
  const { name, payload, id, actor } = signal;
  const event = { name, payload, requestId: id, actor };
  const result = await ground.front.request(runId, { kind: "signal", event }, AbortSignal.timeout(requestTimeoutMs));
  if (result.kind !== "done") return failed(absenceFailure(runId, result));
  const about = { sizeBytes: payload.length, limitBytes: ground.payloadBytesMax };
  const failure = result.ignored ? refusedFailure(runId, result.refusal, about) : undefined;
  return failure === undefined ? done(runId) : failed(failure);
}

/** Why a run can't take the signal. */
function unfitFor(runId: RunId, { name, payload, type }: Signal, plan: LoadedPlan): Answered<never> | undefined {
  const known = plan.signals.find((one) => one.name === name);
  if (known === undefined || (type !== undefined && type !== known.type)) {
    const names = plan.signals.map((one) => one.name);
    return failed(notInVersion(runId, `signal ${JSON.stringify(name)}`, names));
  }
  const misfit = misfitOf(plan, known.type, payload);
  return misfit === undefined ? undefined : failed(wrongType(misfit));
}

/** The run that holds the key; where the signal starts runs, one that is started now. */
async function findOrStart(
  { front, ...options }: Ground,
  { workflow, request, metadata, deadlineMs }: SignalCall,
  signal: SignalPlan,
  key: string,
): Promise<Answered<RunId>> {
  const found = await front.find(workflow, key);
  if (found.kind === "found") return done(found.runId);
  if (found.kind === "unavailable") return failed(refusalFailure(found));
  if (signal.start === undefined) return failed(keyNotFound(workflow, key));
  const start = evaluateStart(signal.start, request);
  if (start.kind === "failed") return failed(refusalFailure({ kind: "invalid", message: start.message }));
  const starting = { workflow, request: start.request, metadata, idempotencyKey: key, deadlineMs };
  const started = await startRun(starting, { front, ...options });
  if (started.kind === "started") return done(started.runId);
  // Another start with the key, of another request, was first: that is the run.
  const other = started.failure.reason === "KEY_HELD" ? await front.find(workflow, key) : undefined;
  return other?.kind === "found" ? done(other.runId) : failed(started.failure);
}
