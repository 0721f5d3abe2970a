import { connect, nanos } from "@nats-io/transport-node";
import type { NatsConnection } from "@nats-io/transport-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import {
  Ask,
  AskReply,
  AskReply_Verdict,
  CatalogEntry,
  Control,
  Outcome,
  Task,
} from "../../../proto/gen/sidestep/internal/v1/task.ts";
import type { Control_Drain } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { attemptKey } from "../../../proto/wire/attempt.ts";
import { fromHex } from "../../../proto/wire/runId.ts";
import { byLoadGroup, toNames } from "../../../proto/wire/subjects.ts";

export const names = toNames();
export const partition = 0;

/** A task by what a test cares for; its run id is made from `number`. */
export type TaskText = Partial<Omit<Task, "headers">> & {
  readonly number: number;
  /** A value, or the name of a secret. */
  readonly headers?: Record<string, string | Uint8Array | { readonly secret: string }>;
};

/** Stands where orchestrators stand: makes the streams, publishes tasks, answers asks, reads outcomes. */
export class FakeOrchestrator implements AsyncDisposable {
  readonly connection: NatsConnection;
  readonly outcomes: Outcome[] = [];
  /** By which run each outcome came; the index is that of `outcomes`. */
  readonly runs: string[] = [];
  readonly asks: Ask[] = [];
  /** What is answered; undefined: no answer. */
  verdict: (ask: Ask) => AskReply_Verdict | undefined = () => AskReply_Verdict.OPEN;
  readonly #jetstream: JetStreamClient;
  readonly #api: JetStreamManager;
  readonly #listeners = new Set<() => void>();

  constructor(connection: NatsConnection, api: JetStreamManager) {
    this.connection = connection;
    this.#jetstream = jetstream(connection);
    this.#api = api;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.connection.close();
  }

  /** Makes the consumer of a service's tasks, as a deploy does. */
  async deploy(service: string, ackWaitMs = 10_000): Promise<void> {
    await this.#api.consumers.add(names.tasksStream, {
      durable_name: names.taskConsumer(service),
      filter_subject: names.taskFilter(service),
      ack_policy: "explicit",
      ack_wait: nanos(ackWaitMs),
      max_deliver: -1,
      max_ack_pending: 10_000,
      priority_policy: "prioritized",
      priority_groups: [byLoadGroup],
    });
  }

  async undeploy(service: string): Promise<void> {
    await this.sweep(service);
    await this.#api.consumers.delete(names.tasksStream, names.taskConsumer(service));
  }

  /** Removes what is acknowledged; else it is delivered again when the server is killed. */
  async sweep(service: string): Promise<void> {
    const { ack_floor: floor } = await this.#api.consumers.info(names.tasksStream, names.taskConsumer(service));
    await this.#api.streams.purge(names.tasksStream, { filter: names.taskFilter(service), seq: floor.stream_seq + 1 });
  }

  /** Publishes a task; its message id is the attempt id. */
  async publish(about: TaskText): Promise<Task> {
    const task = toTask(about);
    const id = attemptKey(runIdOf(about.number), task.attempt ?? { step: "", generation: 0, phase: 0, attempt: 0 });
    await this.#jetstream.publish(names.taskSubject(task.method), Task.encode(task).finish(), {
      msgID: about.recheck === true ? `${id}/again` : id,
    });
    return task;
  }

  async publishBytes(method: string, bytes: Uint8Array): Promise<void> {
    await this.#jetstream.publish(names.taskSubject(method), bytes);
  }

  /** Tells all sidecars of the service to reset the call of a task. */
  reset(task: Task): void {
    const value = { runId: task.runId, attempt: task.attempt, token: task.token };
    const service = task.method.slice(0, task.method.indexOf("/"));
    this.connection.publish(
      names.controlSubject(service),
      Control.encode({ kind: { $case: "reset", value } }).finish(),
    );
  }

  /** Tells all sidecars of the service what one of them is to do. */
  drain(service: string, value: Control_Drain): void {
    this.connection.publish(
      names.controlSubject(service),
      Control.encode({ kind: { $case: "drain", value } }).finish(),
    );
  }

  /** The outcomes of a task that have come. */
  of(task: Task): readonly Outcome[] {
    return this.outcomes.filter((outcome) => same(outcome.token, task.token));
  }

  /** The first final outcome of a task, awaited. */
  async outcome(task: Task): Promise<Outcome> {
    const find = (): Outcome | undefined => this.of(task).find((one) => one.kind?.$case !== "started");
    await this.until(() => find() !== undefined, `an outcome of ${task.method} ${String(task.attempt?.step)}`);
    return find() ?? Outcome.create({});
  }

  /** Waits until a condition holds that outcomes, asks or `poll` change. */
  async until(isTrue: () => boolean | Promise<boolean>, what: string, timeoutMs = 20_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    // While the server is away a question to it fails, which is an answer too.
    const look = async (): Promise<boolean> => {
      try {
        return await isTrue();
      } catch {
        return false;
      }
    };
    while (!(await look())) {
      if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}`);
      await this.#change(50);
    }
  }

  /** Tasks in the queue, acknowledged ones left out. */
  async tasksLeft(): Promise<number> {
    let left = 0;
    for await (const { num_pending, num_ack_pending } of this.#api.consumers.list(names.tasksStream)) {
      left += num_pending + num_ack_pending;
    }
    return left;
  }

  /** Tasks delivered and not acknowledged. */
  async inHands(service: string): Promise<number> {
    return (await this.#api.consumers.info(names.tasksStream, names.taskConsumer(service))).num_ack_pending;
  }

  /** Pulls of sidecars that wait for a task of the service. */
  async pullsWaiting(service: string): Promise<number> {
    return (await this.#api.consumers.info(names.tasksStream, names.taskConsumer(service))).num_waiting;
  }

  async catalog(): Promise<readonly CatalogEntry[]> {
    const stream = `KV_${names.catalogBucket}`;
    const subjects = Object.keys((await this.#api.streams.info(stream, { subjects_filter: ">" })).state.subjects ?? {});
    const entries = await Promise.all(
      subjects.map((subject) => this.#api.streams.getMessage(stream, { last_by_subj: subject })),
    );
    return entries.flatMap((entry) =>
      entry === null || entry.data.length === 0 ? [] : [CatalogEntry.decode(entry.data)],
    );
  }

  /** Reads outcomes and answers asks from now on. */
  async listen(): Promise<void> {
    this.connection.subscribe(names.asksOfPartition(partition), {
      callback: (error, message) => {
        if (error !== null) return;
        const ask = Ask.decode(message.data);
        this.asks.push(ask);
        const verdict = this.verdict(ask);
        if (verdict !== undefined) message.respond(AskReply.encode({ verdict }).finish());
        this.#tell();
      },
    });
    const consumer = await this.#jetstream.consumers.get(names.logStream(partition));
    const messages = await consumer.consume({ expires: 5_000, idle_heartbeat: 500 });
    void (async () => {
      for await (const message of messages) {
        this.outcomes.push(Outcome.decode(message.data));
        this.runs.push(message.subject);
        this.#tell();
      }
    })();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  #change(atMostMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(done);
        resolve();
      };
      const timer = setTimeout(done, atMostMs);
      this.#listeners.add(done);
    });
  }
}

/** Connects to a nats-server and makes the streams that a sidecar meets. */
export async function startFakeOrchestrator(url: string): Promise<FakeOrchestrator> {
  const connection = await connect({
    servers: url,
    reconnectTimeWait: 100,
    maxReconnectAttempts: -1,
    pingInterval: 5_000,
  });
  const api = await jetstreamManager(connection);
  await api.streams.add({ name: names.tasksStream, subjects: [names.tasksSubjects()] });
  await api.streams.add({
    name: names.logStream(partition),
    subjects: [names.logSubjects(partition), names.outTransform(partition).src],
    subject_transform: names.outTransform(partition),
    duplicate_window: nanos(120_000),
  });
  // A service's description is kept there before its tasks are pulled.
  await api.streams.add({ name: names.payloadsStream, subjects: [names.payloadSubjects()], allow_direct: true });
  await api.streams.add({
    name: `KV_${names.catalogBucket}`,
    subjects: [`$KV.${names.catalogBucket}.>`],
    max_msgs_per_subject: 1,
    discard: "new",
    allow_rollup_hdrs: true,
    allow_direct: true,
    max_age: nanos(30_000),
    duplicate_window: nanos(30_000),
  });
  const orchestrator = new FakeOrchestrator(connection, api);
  await orchestrator.listen();
  return orchestrator;
}

export function runIdOf(number: number): string {
  return number.toString(16).padStart(32, "0");
}

function toTask({ number, headers = {}, ...rest }: TaskText): Task {
  const encoder = new TextEncoder();
  return {
    runId: fromHex(runIdOf(number)),
    partition,
    attempt: { step: "say", generation: 0, phase: 0, attempt: 1 },
    method: "echo.v1.Echo/Say",
    request: new Uint8Array(),
    headers: Object.entries(headers).map(([key, value]) => ({
      key,
      value: typeof value === "string" ? encoder.encode(value) : value instanceof Uint8Array ? value : new Uint8Array(),
      secret: typeof value === "string" || value instanceof Uint8Array ? "" : value.secret,
    })),
    timeoutMs: 20_000,
    token: encoder.encode(`token of ${number}`),
    issuedAtSequence: number,
    issuedAtMs: Date.now(),
    recheck: false,
    claim: false,
    serverStreaming: false,
    plan: new Uint8Array(),
    messagesMax: 0,
    bytesMax: 0,
    requestPayload: undefined,
    inlineBytesMax: 0,
    ...rest,
  };
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
