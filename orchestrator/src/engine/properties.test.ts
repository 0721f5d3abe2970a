import { array, assert, constantFrom, integer, property, record, tuple, uint8Array } from "fast-check";
import type { Arbitrary } from "fast-check";
import { expect, test } from "vitest";
import type { AttemptId, RunEnded } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Outcome } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { Run } from "../../../proto/gen/sidestep/v1/run.ts";
import { attemptKey } from "../../../proto/wire/attempt.ts";
import { advance } from "./advance.ts";
import type { Turn } from "./advance.ts";
import { describeRun } from "./describe.ts";
import { describeEvent } from "./describeEvent.ts";
import type { LogRecord } from "./record.ts";
import { attemptStanding, openCommands } from "./standing.ts";
import { newRun } from "./state.ts";
import type { RunState } from "./state.ts";
import { differenceOf } from "./testing/difference.ts";
import { makePlan } from "./testing/plan.ts";
import { eventAt, makeFailure, makeStarted, outcomeAt, testRunId } from "./testing/records.ts";
import { throughSnapshot } from "./testing/snapshot.ts";

const plan = makePlan({
  timeoutMs: 100_000,
  signals: ["go", "other"],
  steps: [
    { id: "a", undo: { method: "x.X/UndoA" }, action: { kind: "call", method: "x.X/A", attempts: 2, backoffMs: 50 } },
    {
      id: "both",
      action: {
        kind: "parallel",
        branches: [
          {
            steps: [
              {
                id: "b",
                undo: { method: "x.X/UndoB" },
                action: { kind: "call", method: "x.X/B", doubt: "PAUSE", stepTimeoutMs: 20_000 },
              },
            ],
          },
          {
            steps: [
              { id: "w", action: { kind: "wait", forMs: 500 } },
              { id: "c", action: { kind: "call", method: "x.X/C", noticeMs: 100 } },
            ],
          },
          { steps: [{ id: "s", action: { kind: "signal", name: "go", timeoutMs: 30_000 } }] },
          { steps: [{ id: "p", action: { kind: "approve", approvers: "['ann']" } }] },
          { steps: [{ id: "k", undo: { method: "x.X/UndoK" }, action: { kind: "run", workflow: "sub.S/Sub" } }] },
        ],
      },
    },
    { id: "d", lock: "'one'", action: { kind: "call", method: "x.X/D", exhausted: "FAIL", attempts: 1 } },
  ],
});

type Entry = { readonly atMs: number } & (
  | { readonly event: Event["kind"] }
  | {
      readonly attempt: AttemptId;
      readonly kind: Outcome["kind"];
      readonly delivery: number;
      readonly authentic: boolean;
    }
);

const anyAttempt: Arbitrary<AttemptId> = record({
  step: constantFrom("a", "b", "c", "d", "s", "p", "k", "both", "nowhere"),
  generation: constantFrom(0, 0, 0, 1),
  phase: constantFrom(0, 0, 1),
  attempt: integer({ min: 0, max: 3 }),
});

const anyEvent: Arbitrary<Event["kind"]> = tuple(
  constantFrom(
    "fired",
    "fired",
    "fired",
    "expired",
    "cancel",
    "terminate",
    "retry",
    "fail",
    "rejected",
    "deferred",
    "signal",
    "signal",
    "decide",
    "skip",
    "patch",
    "compensate",
    "pause",
    "resume",
    "resume",
    "childEnded",
    "granted",
  ),
  anyAttempt,
  integer({ min: 1, max: 8 }),
).map(([kind, attempt, number]) => toEvent(kind, attempt, number));

const childEnds: readonly RunEnded[] = [
  { state: 4, response: Uint8Array.of(1), status: undefined, step: "", responsePayload: undefined },
  {
    state: 5,
    response: new Uint8Array(),
    status: { code: 5, message: "gone", details: [] },
    step: "a",
    responsePayload: undefined,
  },
];

function toEvent(kind: string, attempt: AttemptId, number: number): Event["kind"] {
  const request = { reason: "", actor: "", requestId: "", step: attempt.step, compensation: attempt.phase === 1 };
  const command: { $case: "timer"; value: number } | { $case: "task"; value: AttemptId } =
    number % 2 === 0 ? { $case: "timer", value: number } : { $case: "task", value: attempt };
  switch (kind) {
    case "fired":
      return { $case: "timerFired", value: { number, dueMs: 0 } };
    case "expired":
      return { $case: "attemptExpired", value: { attempt } };
    case "cancel":
      return { $case: "cancelRequested", value: request };
    case "terminate":
      return { $case: "terminateRequested", value: request };
    case "retry":
      return { $case: "retryRequested", value: { ...request, backoff: false } };
    case "fail":
      return { $case: "failRequested", value: request };
    case "signal":
      return {
        $case: "signalReceived",
        value: {
          name: number % 3 === 0 ? "other" : "go",
          payload: Uint8Array.of(number),
          id: String(number),
          actor: "",
        },
      };
    case "decide":
      return {
        $case: "decisionMade",
        value: {
          step: "p",
          approved: number > 2,
          form: new Uint8Array(),
          by: "ann",
          comment: "",
          requestId: "",
          actor: "",
        },
      };
    case "skip":
      return { $case: "skipRequested", value: { ...request, result: Uint8Array.of(number) } };
    case "patch":
      return { $case: "patchRequested", value: { ...request, request: Uint8Array.of(number) } };
    case "compensate":
      return { $case: "compensateRequested", value: request };
    case "pause":
      return { $case: "pauseRequested", value: request };
    case "resume":
      return { $case: "resumeRequested", value: request };
    case "childEnded":
      return {
        $case: "childEnded",
        value: {
          step: { step: "k", generation: attempt.generation },
          runId: new Uint8Array(16),
          ended: childEnds[number % childEnds.length],
        },
      };
    case "granted":
      return {
        $case: "lockGranted",
        value: { step: { step: "d", generation: attempt.generation }, lock: "one" },
      };
    case "rejected":
      return { $case: "commandRejected", value: { command, reason: "" } };
    default:
      return { $case: "commandDeferred", value: { command, reason: "", held: false, drift: false } };
  }
}

const anyOutcome: Arbitrary<Outcome["kind"]> = constantFrom<Outcome["kind"][]>(
  { $case: "completed", value: Uint8Array.of(1) },
  { $case: "completed", value: Uint8Array.of(1) },
  { $case: "failed", value: makeFailure("UNAVAILABLE", "") },
  { $case: "failed", value: makeFailure("ABORTED", "") },
  { $case: "failed", value: makeFailure("NOT_FOUND", "") },
  { $case: "started", value: {} },
  { $case: "inDoubt", value: {} },
);

const gap = integer({ min: 0, max: 30_000 });
const anyEntry: Arbitrary<Entry> = tuple(
  integer({ min: 0, max: 2 }),
  gap,
  anyEvent,
  anyAttempt,
  anyOutcome,
  constantFrom(1, 1, 2),
  integer({ min: 0, max: 9 }),
).map(([which, atMs, event, attempt, kind, delivery, luck]) =>
  which === 0 ? { atMs, event } : { atMs, attempt, kind, delivery, authentic: luck > 0 },
);

/** A log with everything in it that can be, in any order; only the start comes first. */
const anyLog: Arbitrary<readonly LogRecord[]> = array(anyEntry, { maxLength: 30 }).map((entries) => {
  let atMs = 0;
  const records = [eventAt(1, 0, { $case: "runStarted", value: makeStarted() })];
  for (const entry of entries) {
    atMs += entry.atMs;
    records.push(toRecord(entry, records.length + 1, atMs));
  }
  return records;
});

function toRecord(entry: Entry, sequence: number, atMs: number): LogRecord {
  if ("event" in entry) return eventAt(sequence, atMs, entry.event);
  const { attempt, kind, delivery, authentic } = entry;
  return outcomeAt(sequence, atMs, attempt, kind, { delivery, authentic });
}

/** Folds a log; each end that is asked for comes at once, as it would where nothing else is going on. */
function fold(
  records: readonly LogRecord[],
  state: RunState = newRun(testRunId),
): { readonly state: RunState; readonly turns: readonly Turn[] } {
  return { state, turns: records.map((it) => advance(plan, state, it)) };
}

test("fold of all = fold of a part, then of the rest, with what was folded offered again", () => {
  assert(
    property(anyLog, integer({ min: 0, max: 30 }), (records, cut) => {
      const whole = fold(records);
      const { state } = fold(records.slice(0, cut));
      const rest = fold(records, state);
      expect(differenceOf(rest.state, whole.state)).toBeUndefined();
      expect(rest.turns.slice(cut)).toEqual(whole.turns.slice(cut));
      for (const turn of rest.turns.slice(0, cut))
        expect(turn).toEqual({ commands: [], ignored: true, refusal: "", transitions: [] });
    }),
  );
});

test("fold of all = fold of a part, then of the rest on its snapshot", () => {
  assert(
    property(anyLog, integer({ min: 0, max: 30 }), (records, cut) => {
      const whole = fold(records);
      const { state } = fold(records.slice(0, cut));
      const again = throughSnapshot(plan, state);
      expect(differenceOf(again, state)).toBeUndefined();
      const rest = fold(records.slice(cut), again);
      expect(differenceOf(rest.state, whole.state)).toBeUndefined();
      expect(rest.turns).toEqual(whole.turns.slice(cut));
    }),
  );
});

test("a doubled record asks for nothing, whenever its double comes, and the run goes on as without it", () => {
  assert(
    property(anyLog, integer({ min: 1, max: 30 }), integer({ min: 1, max: 30 }), (records, which, later) => {
      const original = records[which];
      // An incident's retry and a deferral are facts of their own each time they come.
      if (original === undefined || isRequest(original)) return;
      const plain = fold(records);
      // What was ignored may tell of a timer or attempt that only comes later; in a real log a fact follows its cause.
      if (plain.turns[which]?.ignored === true) return;
      const at = Math.min(which + later, records.length);
      const storedMs = records[at - 1]?.storedMs ?? 0;
      const doubled = [...records.slice(0, at), original, ...records.slice(at)].map(
        ({ fact, storedMs: ms }, i): LogRecord => ({
          fact,
          sequence: i + 1,
          storedMs: i < at ? ms : Math.max(ms, storedMs),
        }),
      );
      const again = fold(doubled);
      const ofDouble = again.turns[at];
      expect(ofDouble?.commands.filter(({ kind }) => kind !== "endRun")).toEqual([]);
      expect(show(again.state)).toEqual(show(plain.state));
    }),
    { numRuns: 300 },
  );
});

function isRequest({ fact }: LogRecord): boolean {
  if (fact.kind === "outcome")
    return !(fact.outcome.kind?.$case === "completed" || fact.outcome.kind?.$case === "failed");
  return fact.event.kind?.$case !== "timerFired" && fact.event.kind?.$case !== "attemptExpired";
}

/** What a run comes to, without positions in the log. */
function show(state: RunState): unknown {
  return {
    phase: state.phase,
    verdict: state.verdict,
    steps: [...state.steps.values(), ...state.compensations.values()].map((it) => [
      it.path,
      it.phase,
      it.state.kind,
      it.maybeExecuted,
      it.result,
    ]),
    attempts: [...state.attempts.keys()],
    timers: [...state.timers.values()].map(({ number, dueMs }) => [number, dueMs]),
  };
}

test("distinct attempts have distinct ids, and equal ids ask for equal bytes", () => {
  assert(
    property(anyLog, (records) => {
      const asked = new Map<string, string>();
      for (const turn of fold(records).turns) {
        for (const command of turn.commands) {
          if (command.kind !== "publishTask") continue;
          const key = attemptKey(testRunId, command.attempt);
          const bytes = `${command.method} ${command.timeoutMs} ${String(command.claim)} ${command.request.join(",")}`;
          expect(command.isReissue || !asked.has(key)).toBe(true);
          expect(asked.get(key) ?? bytes).toBe(bytes);
          asked.set(key, bytes);
        }
      }
    }),
  );
});

test("what is open in the state is what was asked for and is not settled, each with the event that asked for it", () => {
  assert(
    property(anyLog, (records) => {
      const { state, turns } = fold(records);
      const asked = turns.flatMap((turn) => turn.commands);
      for (const command of openCommands(state)) expect(asked).toContainEqual(command);
      for (const command of openCommands(state)) {
        if (command.kind !== "publishTask" && command.kind !== "closeAttempt") continue;
        expect(attemptStanding(state, command.attempt) === "closed").toBe(command.kind === "closeAttempt");
      }
      expect(state.worklist).toEqual([]);
      expect(state.forwardAttempts).toBe([...state.attempts.values()].filter(({ id }) => id.phase === 0).length);
    }),
  );
});

test("an ignored record changes nothing but the clock and the positions", () => {
  assert(
    property(anyLog, (records) => {
      const state = newRun(testRunId);
      for (const it of records) {
        const before = JSON.stringify(show(state));
        const turn = advance(plan, state, it);
        if (!turn.ignored) continue;
        expect(JSON.stringify(show(state))).toBe(before);
        expect(turn.transitions).toEqual([]);
        expect(turn.commands.filter(({ kind }) => kind !== "endRun")).toEqual([]);
      }
    }),
  );
});

test("whatever decodes as an event or an outcome is folded and described, in any state", () => {
  assert(
    property(anyLog, array(uint8Array({ maxLength: 40 }), { maxLength: 20 }), (records, garbage) => {
      const state = newRun(testRunId);
      const facts = garbage.flatMap((bytes) => [
        ...decoded(() => toEventFact(bytes)),
        ...decoded(() => toOutcomeFact(bytes)),
      ]);
      const all = [...records.map(({ fact }) => fact), ...facts];
      const cut = records.length % 5;
      for (const [i, fact] of [...all.slice(cut), ...all.slice(0, cut)].entries()) {
        const it: LogRecord = { sequence: i + 1, storedMs: 1_000_000 + i, fact };
        const turn = advance(plan, state, it);
        expect(describeEvent(plan, state, it, turn).sequence).toBe(BigInt(i + 1));
        const run = describeRun(plan, state);
        expect(Run.decode(Run.encode(run).finish()).steps).toHaveLength(run.steps.length);
      }
    }),
    { numRuns: 300 },
  );
});

function toEventFact(bytes: Uint8Array): LogRecord["fact"] {
  return { kind: "event", event: Event.decode(bytes) };
}

function toOutcomeFact(bytes: Uint8Array): LogRecord["fact"] {
  return { kind: "outcome", outcome: Outcome.decode(bytes), authentic: true };
}

function decoded(decode: () => LogRecord["fact"]): readonly LogRecord["fact"][] {
  try {
    return [decode()];
  } catch {
    return [];
  }
}
