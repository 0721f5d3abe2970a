import { expect, test } from "vitest";
import { Event, RunStarted, TerminateRequested } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { AttemptId } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Compensation } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Step } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { Failure_Origin, Outcome } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { attemptKey } from "../../../proto/wire/attempt.ts";
import { fromHex, toRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { toNames } from "../../../proto/wire/subjects.ts";
import { advance } from "../engine/advance.ts";
import type { Command } from "../engine/command.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import type { LogRecord } from "../engine/record.ts";
import { newRun } from "../engine/state.ts";
import { spansOfRun, traceOfRun } from "../projection/runTrace.ts";
import type { Span } from "../projection/span.ts";
import { sha256, toCredentials } from "./credentials.ts";
import { toFact } from "./fact.ts";
import type { LogMessage, PartitionLog } from "./ports.ts";
import { spansTold, toReproject } from "./reproject.ts";
import { toSpanObserver } from "./spanObserver.ts";
import { makeCall, makePlan } from "../../../test/support/orchestrators.ts";

const names = toNames();
const credentials = toCredentials([new Uint8Array(32).fill(1)]);
const originMs = 1_795_000_000_000;

/** Code of a call's answer; undefined: it never answers. */
type Answers = (attempt: AttemptId) => number | undefined;

/** A partition's log in memory, and runs that play themselves; one that waits for an answer in vain is terminated. */
class FakeLog {
  readonly messages: LogMessage[] = [];

  /** Plays a run to its end; returns its records. */
  play(runId: RunId, plan: LoadedPlan, sampled: boolean, answers: Answers): readonly LogRecord[] {
    const state = newRun(runId);
    const records: LogRecord[] = [];
    const started = RunStarted.fromPartial({
      workflow: "test.v1.Flows/Flow",
      version: 1,
      engineRevision: 1,
      issuedAtMs: this.nowMs(),
      trace: { traceId: fromHex(runId), sampled },
      limits: { payloadBytesMax: 1000, evaluationStepsMax: 1000, pendingStepsMax: 100 },
    });
    const todo: LogMessage[] = [this.event(runId, { $case: "runStarted", value: started })];
    const carryOut = (command: Command): void => {
      const answer = command.kind === "publishTask" ? answers(command.attempt) : undefined;
      if (command.kind === "publishTask" && answer !== undefined) {
        todo.push(this.outcome(runId, command.attempt, answer));
      }
      if (command.kind === "endRun") todo.push(this.event(runId, { $case: "runEnded", value: command.ended }));
      const isSoon = command.kind === "armTimer" && command.dueMs < state.nowMs + 1000;
      if (isSoon)
        todo.push(this.event(runId, { $case: "timerFired", value: { number: command.number, dueMs: command.dueMs } }));
    };
    for (let next = todo.shift(); next !== undefined; next = todo.shift()) {
      const message = { ...next, sequence: this.messages.length + 1, storedMs: this.nowMs() };
      this.messages.push(message);
      const record = recordOf(message);
      records.push(record);
      advance(plan, state, record).commands.forEach(carryOut);
      const isStuck = todo.length === 0 && state.phase === "forward";
      if (isStuck) todo.push(this.event(runId, { $case: "terminateRequested", value: terminate }));
    }
    if (state.ended === undefined) throw new Error("the run did not end");
    return records;
  }

  port(): PartitionLog {
    const unused = (): never => {
      throw new Error("not used here");
    };
    return {
      partition: 0,
      read: ({ from, onMessage }) => {
        this.messages.filter(({ sequence }) => sequence >= from).forEach(onMessage);
        return { pull: () => undefined, next: () => this.messages.length + 1, [Symbol.dispose]: () => undefined };
      },
      load: async (runId) => this.messages.filter(({ subject }) => subject.includes(runId)),
      end: async () => ({ lastSequence: this.messages.length, created: "" }),
      firstEvent: unused,
      positions: unused,
      tail: unused,
      append: unused,
      appendFirst: unused,
      appendAfter: unused,
      cut: unused,
      remove: unused,
      firstOf: unused,
      head: unused,
      keepOwner: unused,
      cutHead: unused,
      next: unused,
      writeOwner: unused,
    };
  }

  private nowMs(): number {
    return originMs + 10 * this.messages.length;
  }

  private event(runId: RunId, kind: NonNullable<Event["kind"]>): LogMessage {
    const data = Event.encode(Event.fromPartial({ kind })).finish();
    return { sequence: 0, storedMs: 0, subject: names.eventSubject(0, runId), data };
  }

  private outcome(runId: RunId, attempt: AttemptId, code: number): LogMessage {
    const failed = { code, message: `code ${code}`, details: new Uint8Array(), origin: Failure_Origin.SERVICE };
    const data = Outcome.encode(
      Outcome.fromPartial({
        attempt,
        token: credentials.token(attemptKey(runId, attempt)),
        kind: code === 0 ? { $case: "completed", value: new Uint8Array() } : { $case: "failed", value: failed },
        delivery: 1,
        sent: true,
        startedAtMs: this.nowMs() + 1.25,
        endedAtMs: this.nowMs() + 4.5,
        peer: "127.0.0.1:50051",
        sidecar: { id: "s1", name: "things-sidecar" },
      }),
    ).finish();
    return { sequence: 0, storedMs: 0, subject: names.outcomeSubject(0, runId), data };
  }
}

const terminate = TerminateRequested.fromPartial({ reason: "it hangs" });

function recordOf(message: LogMessage): LogRecord {
  const fact = toFact(message, credentials);
  if (fact.kind !== "record") throw new Error(`not a record: ${fact.kind}`);
  return fact.record;
}

function makeUndoneCall(name: string): Step {
  const call = makeCall(`undo ${name}`).kind;
  if (call?.$case !== "call") throw new Error("makeCall makes calls");
  return { ...makeCall(name), compensate: Compensation.fromPartial({ call: call.value }) };
}

const plan = makePlan([makeUndoneCall("a"), makeUndoneCall("b"), makeCall("c")]);
const runIds = [1, 2, 3].map((it) => toRunId(originMs, 0, it, new Uint8Array(8).fill(it)));
const [first = toRunId(0, 0, 0, new Uint8Array(8)), second = first, unsampled = first] = runIds;
/** The first attempt at b finds nobody; c is refused. */
const stormy = (attempt: AttemptId): number =>
  attempt.step === "b" && attempt.phase === 0 && attempt.attempt === 1 ? 14 : attempt.step === "c" ? 9 : 0;

function byId(spans: readonly Span[]): readonly string[] {
  return spans.map((span) => JSON.stringify(span)).toSorted();
}

test("the spans of a window of the log are those that were told live, however the log is cut", async () => {
  const log = new FakeLog();
  const live = [
    ...spansOfRun(first, plan, log.play(first, plan, true, stormy), sha256),
    ...spansOfRun(
      second,
      plan,
      log.play(second, plan, true, () => 0),
      sha256,
    ),
  ];
  log.play(unsampled, plan, false, stormy);
  const payloads = { get: async () => undefined };
  const reproject = toReproject(
    { logOf: () => log.port(), payloads, plans: { load: async () => plan }, credentials },
    spansTold,
  );
  const last = log.messages.length;
  for (const step of [1, 3, 7, last, 10 * last]) {
    const again: Span[] = [];
    for (let after = 0; after < last; after += step) {
      again.push(...(await reproject(0, { after, upTo: after + step }, new AbortController().signal)));
    }
    expect(byId(again)).toEqual(byId(live));
  }
  expect(new Set(live.map(({ traceId, spanId }) => traceId + spanId)).size).toBe(live.length);
});

test("an observer tells an export what the log tells again, and nothing of a run that is not sampled", () => {
  const log = new FakeLog();
  const told = new Map<number, readonly Span[]>();
  const observer = toSpanObserver({
    opened: () => undefined,
    closed: () => undefined,
    add: (_, sequence, spans) => void told.set(sequence, spans),
    tracedUpTo: (_, checkpoint) => checkpoint,
    settled: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  });
  for (const [runId, sampled] of [
    [first, true],
    [unsampled, false],
  ] as const) {
    const state = newRun(runId);
    for (const record of log.play(runId, plan, sampled, stormy)) {
      observer.turn({ runId, partition: 0, plan, state }, record, advance(plan, state, record));
    }
  }
  const records = log.messages.filter(({ subject }) => subject.includes(first)).map(recordOf);
  expect([...told.values()].flat()).toEqual(spansOfRun(first, plan, records, sha256));
});

test("a run's trace shows every attempt, every retry and every compensation, in its place", () => {
  const log = new FakeLog();
  const records = log.play(first, plan, false, stormy);
  const resourceOf = (resource: Span["resource"]): Record<string, string> => ({
    "service.name": resource.kind === "sidecar" ? resource.sidecar.name : "sidestep-orchestrator",
  });
  const trace = traceOfRun(first, plan, records, { sha256, resourceOf });
  expect(trace.traceId).toBe(first);
  expect(trace.tree.map((line) => line.replace(/ {2}\d+ ms \+\d+ ms/, ""))).toEqual([
    "test.v1.Flows/Flow  sidestep-orchestrator  server  [COMPENSATED]  ✗ code 9",
    "├─ run started  sidestep-orchestrator  internal",
    "├─ a  sidestep-orchestrator  internal",
    "│  └─ test.v1.Things/Do  things-sidecar  client",
    "├─ b  sidestep-orchestrator  internal",
    "│  ├─ test.v1.Things/Do  things-sidecar  client  ✗ code 14",
    "│  └─ test.v1.Things/Do  things-sidecar  client  [attempt 2]",
    "├─ c  sidestep-orchestrator  internal  ✗ code 9",
    "│  └─ test.v1.Things/Do  things-sidecar  client  ✗ code 9",
    "├─ compensate b  sidestep-orchestrator  internal",
    "│  └─ test.v1.Things/Do  things-sidecar  client",
    "└─ compensate a  sidestep-orchestrator  internal",
    "   └─ test.v1.Things/Do  things-sidecar  client",
  ]);
  const json = JSON.parse(trace.otlpJson) as {
    readonly resourceSpans: readonly { readonly scopeSpans: readonly { readonly spans: readonly object[] }[] }[];
  };
  const spans = json.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
  expect(spans).toHaveLength(trace.tree.length);
  expect(spans[0]).toMatchObject({
    traceId: first,
    startTimeUnixNano: expect.stringMatching(/^1795000000\d{9}$/),
    kind: 1,
  });
});

test("a run that is ended over an open call leaves no span without its parent", () => {
  const log = new FakeLog();
  const records = log.play(first, plan, true, ({ step }) => (step === "b" ? undefined : 0));
  const spans = spansOfRun(first, plan, records, sha256);
  const ids = new Set(spans.map(({ spanId }) => spanId));
  expect(ids.size).toBe(spans.length);
  expect(spans.filter(({ parentSpanId }) => parentSpanId !== undefined && !ids.has(parentSpanId))).toEqual([]);
  expect(spans.find(({ name }) => name === "b")?.attributes).toMatchObject({ "sidestep.step.result": "left" });
  expect(spans.filter(({ attributes }) => attributes["sidestep.attempt.result"] === "left")).toMatchObject([
    { parentSpanId: spans.find(({ name }) => name === "b")?.spanId, status: { message: "the run ended first" } },
  ]);
});
