import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { JsMsg } from "@nats-io/jetstream";
import { createRegistry } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { hash, randomBytes, randomUUID } from "node:crypto";
import { Event } from "../../proto/gen/sidestep/internal/v1/event.ts";
import { Call, Call_OnExhausted, ChildRun, Plan, Step } from "../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Expression } from "../../proto/gen/sidestep/internal/v1/plan.ts";
import {
  Ask,
  AskReply,
  AskReply_Verdict,
  Failure_Origin,
  Outcome,
  Task,
} from "../../proto/gen/sidestep/internal/v1/task.ts";
import type { Layouts } from "../../proto/gen/sidestep/internal/v1/record.ts";
import { attemptKey } from "../../proto/wire/attempt.ts";
import { fromHex, parseRunId, toHex } from "../../proto/wire/runId.ts";
import type { RunId } from "../../proto/wire/runId.ts";
import { byLoadGroup, toNames } from "../../proto/wire/subjects.ts";
import type { Nats } from "../../runtime/src/natsConnection.ts";
import { messageIdLine, openPublisher } from "../../runtime/src/publisher.ts";
import { connectTo, silent } from "./connectTo.ts";
import { askJetStream } from "../../orchestrator/src/nats/jetstream.ts";
import { attach } from "../../orchestrator/src/nats/attach.ts";
import { ensureTaskConsumer } from "../../orchestrator/src/nats/topology.ts";
import { toLoadedPlan } from "../../orchestrator/src/engine/loadPlan.ts";
import type { LoadedPlan } from "../../orchestrator/src/engine/plan.ts";
import { loadTestExpression, makeExpression } from "../../orchestrator/src/engine/testing/expression.ts";
import { toCredentials } from "../../orchestrator/src/processor/credentials.ts";
import type { StartRequest } from "../../orchestrator/src/processor/front.ts";
import { openProcessor } from "../../orchestrator/src/processor/processor.ts";
import type { Ports, Processor, ProcessorOptions } from "../../orchestrator/src/processor/processor.ts";

export const names = toNames();
export const service = "test.v1.Things";

/** Plans of these tests are known by their workflow. */
function planHashOf({ plan }: LoadedPlan): Uint8Array {
  return hash("sha256", plan.workflow, "buffer");
}

/** A plan of calls one after the other, with an empty request each: what a compiler would make of them. */
export function makePlan(
  steps: readonly Step[],
  workflow = "test.v1.Flows/Flow",
  over: Partial<Plan> = {},
): LoadedPlan {
  const plan: Plan = {
    ...Plan.decode(new Uint8Array()),
    workflow,
    requestType: "google.protobuf.StringValue",
    responseType: "google.protobuf.Empty",
    engineRevision: 1,
    body: { steps: steps.map((step, index) => ({ ...step, index })), result: undefined },
    stepCount: steps.length,
    methods: [`${service}/Do`],
    ...over,
  };
  return toLoadedPlan(plan, createRegistry(StringValueSchema), loadTestExpression);
}

/** A text that the plan has as an expression. */
export function makeText(text: string): Expression {
  return makeExpression("string", `'${text}'`, "test");
}

/** A run of another workflow, with an empty request. */
export function makeRun(name: string, method: string, over: Partial<ChildRun> = {}): Step {
  const value: ChildRun = {
    ...ChildRun.decode(new Uint8Array()),
    method,
    responseType: "google.protobuf.Empty",
    ...over,
  };
  return { ...Step.decode(new Uint8Array()), name, id: name, kind: { $case: "run", value } };
}

/** A message to others. */
export function makeEmit(name: string, subject: string): Step {
  const value = {
    subject: makeText(subject),
    type: "shop.v1.Placed",
    message: makeExpression("kept", "'placed'", name),
  };
  return { ...Step.decode(new Uint8Array()), name, id: name, kind: { $case: "emit", value } };
}

/** A call of the test's service; retries soon and often. */
export function makeCall(name: string, over: Partial<Call> = {}): Step {
  const value: Call = {
    ...Call.decode(new Uint8Array()),
    method: `${service}/Do`,
    timeoutMs: 5000,
    queueNoticeMs: 300_000,
    retry: { attemptsMax: 5, backoffMs: 20, backoffMaxMs: 100, multiplier: 2, on: [] },
    onExhausted: Call_OnExhausted.ON_EXHAUSTED_FAIL,
    idempotent: true,
    responseType: "google.protobuf.Empty",
    ...over,
  };
  return { ...Step.decode(new Uint8Array()), name, id: name, kind: { $case: "call", value } };
}

/** A wait of so long. */
export function makeWait(name: string, forMs: number): Step {
  const value = { kind: { $case: "forMs", value: forMs } } as const;
  return { ...Step.decode(new Uint8Array()), name, id: name, kind: { $case: "wait", value } };
}

/** An orchestrator without a front door. */
export interface Orchestrator extends AsyncDisposable {
  readonly id: string;
  readonly nats: Nats;
  readonly processor: Processor;
  readonly ports: Ports;
  readonly limits: Awaited<ReturnType<typeof attach>>["limits"];
  readonly layouts: Layouts;
  start(
    plan: LoadedPlan,
    options?: { readonly key?: string; readonly request?: string },
  ): ReturnType<Processor["front"]["start"]>;
  /** Starts a run and gives its id. */
  begin(plan: LoadedPlan, key?: string): Promise<RunId>;
  /** Ends without a word, as a killed process does. */
  kill(): Promise<void>;
}

/** Opens one on a server; the plans it knows are those it is given. */
export async function openOrchestrator(
  url: string,
  known: LoadedPlan | readonly LoadedPlan[],
  options: {
    readonly partitions?: number;
    /** Works on these alone; undefined: on all that are free. */
    readonly owns?: readonly number[];
    readonly over?: Partial<ProcessorOptions>;
  } = {},
): Promise<Orchestrator> {
  const id = randomUUID();
  const plans = Array.isArray(known) ? known : [known];
  const nats = await connectTo(url, id);
  const attached = await attach({
    nats,
    names,
    partitions: options.partitions ?? 1,
    replicas: 1,
    log: silent,
    signal: new AbortController().signal,
  });
  await ensureTaskConsumer(nats.connection, names, service);
  const processor = openProcessor({
    orchestrator: id,
    member: { version: "test", address: "" },
    layouts: attached.layouts,
    ports: options.owns === undefined ? attached.ports : onlyOwning(attached.ports, options.owns),
    plans: {
      load: (planHash) => Promise.resolve(plans.find((plan) => Buffer.compare(planHashOf(plan), planHash) === 0)),
    },
    workflows: {
      active: (workflow) => {
        const plan = plans.find((one) => one.plan.workflow === workflow);
        return Promise.resolve(plan && { workflow, version: 1, plan, planHash: planHashOf(plan) });
      },
      refresh: () => Promise.resolve(),
    },
    credentials: toCredentials([attached.secret]),
    observer: {
      opened: () => undefined,
      turn: () => undefined,
      closed: () => undefined,
      tracedUpTo: (_partition, checkpoint) => checkpoint,
    },
    limits: {
      payloadBytesMax: 262_144,
      evaluationStepsMax: 100_000,
      pendingStepsMax: 1000,
      signalsMax: 1000,
      yieldsMax: 1000,
      yieldsBytesMax: 8_388_608,
      turnStepsMax: 10_000,
      itemsMax: 10_000,
      parallelMax: 100,
      claimedBytesMax: 67_108_864,
    },
    requestBytesMax: 4 * 1024 * 1024,
    backlogMax: 50_000,
    startsMax: 1_000,
    now: Date.now,
    randomBytes,
    logger: silent,
    ...options.over,
  });
  let isOver = false;
  const start: Orchestrator["start"] = (ofPlan, { key, request = "" } = {}) =>
    processor.front.start(toStartRequest(ofPlan, key, request), AbortSignal.timeout(20_000));
  return {
    id,
    nats,
    processor,
    ports: attached.ports,
    limits: attached.limits,
    layouts: attached.layouts,
    start,
    begin: async (ofPlan, key) => {
      const result = await start(ofPlan, key === undefined ? {} : { key });
      if (result.kind !== "started") throw new Error(`not started: ${JSON.stringify(result)}`);
      return result.runId;
    },
    kill: async () => {
      isOver = true;
      await nats.connection.close();
    },
    [Symbol.asyncDispose]: async () => {
      if (isOver) return;
      await processor[Symbol.asyncDispose]();
      await nats.connection.close();
    },
  };
}

/** Leases of other partitions can be read and never taken. */
function onlyOwning(ports: Ports, owns: readonly number[]): Ports {
  const write: Ports["leases"]["write"] = (partition, ...lease) =>
    owns.includes(partition) ? ports.leases.write(partition, ...lease) : Promise.resolve({ kind: "refused" });
  return { ...ports, leases: { ...ports.leases, write } };
}

function toStartRequest(plan: LoadedPlan, key: string | undefined, request: string): StartRequest {
  return {
    active: { workflow: plan.plan.workflow, version: 1, plan, planHash: planHashOf(plan) },
    request:
      request === "" ? new Uint8Array() : new Uint8Array([0x0a, request.length, ...new TextEncoder().encode(request)]),
    metadata: new Map(),
    idempotencyKey: key,
    trace: (runId) => ({ traceId: fromHex(runId), parentSpanId: new Uint8Array(), sampled: false, tracestate: "" }),
    actor: "",
  };
}

/** What the test's service does with a call. */
export type Behaviour = (
  task: Task,
  delivery: number,
) => "complete" | "drop" | { readonly code: number } | Promise<"complete" | "drop" | { readonly code: number }>;

/** A sidecar and its service in one, by PROTOCOL §6. */
export interface FakeSidecar extends AsyncDisposable {
  /** Attempt keys of the calls made, in order. */
  readonly calls: readonly string[];
  /** Resolves once so many calls have been made. */
  called(count: number): Promise<void>;
}

/** Pulls the tasks of the test's service. */
export async function openFakeSidecar(url: string, behaviour: Behaviour = () => "complete"): Promise<FakeSidecar> {
  const nats = await connectTo(url, "sidecar");
  const publisher = openPublisher(nats.connection);
  const id = randomUUID();
  const calls: string[] = [];
  /** Asked about or called, and their outcome not stored yet. */
  const inHands = new Set<string>();
  const waiting: { readonly count: number; readonly resolve: () => void }[] = [];
  const consumer = await jetstream(nats.connection).consumers.get(names.tasksStream, names.taskConsumer(service));
  const pulls = { max_messages: 100, expires: 5000, idle_heartbeat: 500, group: byLoadGroup };
  const messages = await consumer.consume(pulls);
  const run = async (message: JsMsg): Promise<void> => {
    const task = Task.decode(message.data);
    const { attempt } = task;
    if (attempt === undefined) throw new Error("a task without attempt");
    const delivery = message.info.deliveryCount;
    const key = attemptKey(toHex(task.runId), attempt);
    if (inHands.has(key)) return message.nak(100);
    // From before the question on: another delivery may come while it is asked.
    inHands.add(key);
    const storedMs = message.info.timestampNanos / 1e6;
    // A server that was killed has forgotten young delivery counts.
    const isOld = storedMs < nats.connectedAtMs() || storedMs - task.issuedAtMs > 1000 || Date.now() - storedMs > 1000;
    if (task.recheck || delivery > 1 || isOld) {
      const verdict = await ask(nats, id, task, delivery);
      if (verdict !== AskReply_Verdict.OPEN) {
        inHands.delete(key);
        return verdict === AskReply_Verdict.CLOSED ? message.ack() : message.nak(100);
      }
    }
    calls.push(key);
    for (const { count, resolve } of waiting) if (calls.length >= count) resolve();
    const result = await behaviour(task, delivery);
    if (result === "drop") {
      inHands.delete(key);
      return;
    }
    await report(publisher, id, task, delivery, result);
    inHands.delete(key);
    message.ack();
  };
  const loop = (async () => {
    for await (const message of messages) void run(message).catch(() => undefined);
  })();
  return {
    calls,
    called: (count) =>
      new Promise((resolve) => {
        if (calls.length >= count) resolve();
        else waiting.push({ count, resolve });
      }),
    [Symbol.asyncDispose]: async () => {
      messages.stop();
      await nats.connection.close();
      await loop.catch(() => undefined);
    },
  };
}

async function report(
  publisher: ReturnType<typeof openPublisher>,
  id: string,
  task: Task,
  delivery: number,
  result: "complete" | { readonly code: number },
): Promise<void> {
  const outcome = Outcome.encode({
    attempt: task.attempt,
    token: task.token,
    kind:
      result === "complete"
        ? { $case: "completed", value: new Uint8Array() }
        : {
            $case: "failed",
            value: { code: result.code, message: "no", details: new Uint8Array(), origin: Failure_Origin.SERVICE },
          },
    delivery,
    recheck: task.recheck,
    sent: true,
    startedAtMs: Date.now(),
    endedAtMs: Date.now(),
    peer: "fake",
    sidecar: { id, name: "fake", host: "fake", version: "0" },
  }).finish();
  const subject = names.outSubject(service, task.partition, toHex(task.runId));
  const messageId = messageIdLine(`${toHex(task.token)}${result === "complete" ? "c" : result.code}`);
  for (;;) {
    const published = await publisher.publish(subject, outcome, messageId);
    if (published.kind === "stored") return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Asks the owner of a task's partition whether it may run. */
export async function ask(
  nats: Nats,
  sidecarId: string,
  task: Task,
  delivery: number,
  also: Partial<Ask> = {},
): Promise<AskReply_Verdict> {
  const { runId, attempt, token, partition } = task;
  const about = { runId, attempt, token };
  const question = Ask.encode({
    ...about,
    sidecarId,
    running: false,
    claimed: false,
    delivery,
    contract: "",
    ...also,
  }).finish();
  const subject = names.askSubject(service, partition);
  const answer = await nats.connection.request(subject, question, { timeout: 3000 }).catch(() => undefined);
  return answer === undefined ? AskReply_Verdict.NOT_NOW : AskReply.decode(answer.data).verdict;
}

/** How many ends each run has in the logs. */
export async function endsOfRuns(url: string, partitions: number): Promise<ReadonlyMap<string, number>> {
  await using nats = await connectTo(url);
  const manager = await jetstreamManager(nats.connection);
  const ends = new Map<string, number>();
  for (let partition = 0; partition < partitions; partition++) {
    const stream = names.logStream(partition);
    const { state } = await manager.streams.info(stream);
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      const message = await manager.streams.getMessage(stream, { seq });
      const run = message?.subject.split(".")[3];
      if (message === null || run === undefined || parseRunId(run) === undefined || !message.subject.endsWith(".e"))
        continue;
      if (Event.decode(message.data).kind?.$case === "runEnded") ends.set(run, (ends.get(run) ?? 0) + 1);
    }
  }
  return ends;
}

/** Subjects of the timers that are still to fire. */
export async function timersLeft(url: string): Promise<readonly string[]> {
  await using nats = await connectTo(url);
  const { state } = await askJetStream(nats.connection, `STREAM.INFO.${names.timersStream}`, {
    subjects_filter: names.timerSubjects()[0],
  });
  return Object.keys(state?.subjects ?? {}).filter((subject) => !subject.endsWith("._cancel"));
}
