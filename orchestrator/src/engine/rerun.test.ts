import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { AttemptId_Phase as Phase, Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { AttemptId_Phase, RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { advance } from "./advance.ts";
import { describeRun } from "./describe.ts";
import type { LoadedPlan } from "./plan.ts";
import { rerunPlace, rerunStart, rerunSteps } from "./rerun.ts";
import { newRun } from "./state.ts";
import type { RunState } from "./state.ts";
import { makePlan } from "./testing/plan.ts";
import { eventAt, makeFailure, makeStarted, outcomeAt, testRunId } from "./testing/records.ts";
import { showCommand } from "./testing/show.ts";
import { throughSnapshot } from "./testing/snapshot.ts";
import type { StepSketch } from "./testing/sketch.ts";

/** The least that a server takes. */
const messageBytesMax = 1024 * 1024;
const about = { reason: "", actor: "ann", requestId: "" };
const nextId = new Uint8Array(16).fill(7);
const nextRun = "07".repeat(16);

const call = (id: string, more: Partial<StepSketch> = {}, request?: string): StepSketch => ({
  id,
  action: { kind: "call", method: `x.X/${id.toUpperCase()}`, request, attempts: 1, exhausted: "FAIL" },
  ...more,
});
const undo = (id: string): Pick<StepSketch, "undo"> => ({
  undo: { method: `x.X/Undo${id.toUpperCase()}`, attempts: 1 },
});

/** A run's log in the making. */
class Log {
  readonly state: RunState;
  readonly plan: LoadedPlan;
  #sequence = 0;
  #asked: string[] = [];

  constructor(plan: LoadedPlan, started: RunStarted, runId = testRunId) {
    this.plan = plan;
    this.state = newRun(runId);
    this.event({ $case: "runStarted", value: started });
  }

  event(kind: Event["kind"]): { readonly ignored: boolean; readonly refusal: string } {
    const turn = advance(this.plan, this.state, eventAt(++this.#sequence, this.#sequence * 10, kind));
    this.#asked.push(...turn.commands.map(showCommand));
    return turn;
  }

  done(step: string, result: string, phase: AttemptId_Phase = Phase.FORWARD): void {
    const kind = { $case: "completed", value: new TextEncoder().encode(result) } as const;
    this.#outcome(step, kind, phase);
  }

  failed(step: string): void {
    this.#outcome(step, { $case: "failed", value: makeFailure("INTERNAL", "bug") }, Phase.FORWARD);
  }

  #outcome(step: string, kind: Parameters<typeof outcomeAt>[3], phase: AttemptId_Phase): void {
    const id = { step, generation: 0, phase, attempt: 1 } as const;
    const turn = advance(this.plan, this.state, outcomeAt(++this.#sequence, this.#sequence * 10, id, kind));
    this.#asked.push(...turn.commands.map(showCommand));
  }

  /** What was asked for since the last time. */
  asked(): readonly string[] {
    const asked = this.#asked;
    this.#asked = [];
    return asked;
  }

  end(): void {
    const ended = this.state.ending?.ended;
    assert(ended !== undefined, "the run asks for its end");
    this.event({ $case: "runEnded", value: ended });
    this.asked();
  }

  terminate(): void {
    this.event({ $case: "terminateRequested", value: about });
    this.end();
  }

  /** The start of the run that goes on in place of this one. */
  rerun(step: string): RunStarted {
    const turn = this.event({ $case: "rerunRequested", value: { step, runId: nextId, ...about } });
    assert(!turn.ignored, "the request counts");
    assert.deepEqual(this.asked(), [`rerun from ${step}`]);
    const { rerun } = this.state;
    assert(rerun !== undefined, "it is asked for");
    const started = rerunStart(this.plan, this.state, rerun, 1_000);
    assert(started !== undefined, "the run has a start");
    return started;
  }
}

const plan = makePlan({
  steps: [call("a", undo("a")), call("b", { when: "false" }), call("c", undo("c"), "a"), call("d", {}, "c")],
  outputStep: "d",
});

function terminatedAtD(): Log {
  const log = new Log(plan, makeStarted({ key: "k" }));
  log.done("a", "ra");
  log.done("c", "rc");
  log.terminate();
  return log;
}

test("a run goes on in place of an ended one with the results of the steps before, and undoes them when it fails", () => {
  const old = terminatedAtD();
  expect(rerunSteps(plan, old.state)).toEqual(["a", "b", "c", "d"]);
  const started = old.rerun("d");
  expect(started).toMatchObject({ key: "k", request: makeStarted().request, parent: undefined });
  expect(describeRun(plan, old.state)).toMatchObject({ rerunAsRunId: nextRun, actions: [{ steps: [] }] });
  const next = new Log(plan, started, nextRun);
  expect(next.asked()).toEqual(["task d#1 x.X/D 'rc' timeout=30s"]);
  expect(describeRun(plan, next.state)).toMatchObject({
    rerunOfRunId: testRunId,
    rerunFromStep: "d",
    steps: [
      { path: "a", state: 4, takenOver: true, attempt: 1 },
      { path: "b", state: 6, takenOver: true },
      { path: "c", state: 4, takenOver: true },
      { path: "d", state: 1, takenOver: false },
    ],
  });
  for (const { state } of [old, next]) expect(throughSnapshot(plan, state)).toEqual(state);
  next.failed("d");
  expect(next.asked()).toEqual(["task undo:c#1 x.X/UndoC timeout=30s undoes=c#1"]);
  next.done("c", "", Phase.COMPENSATE);
  expect(next.asked()).toEqual(["task undo:a#1 x.X/UndoA timeout=30s undoes=a#1"]);
  next.done("a", "", Phase.COMPENSATE);
  next.end();
  expect(next.state.ended?.state).toBe(Run_State.COMPENSATED);
  // What was taken over there has been undone there: it can begin at its first step only.
  expect(rerunSteps(plan, next.state)).toEqual(["a"]);
});

test("a run that goes on from its first step takes nothing over", () => {
  const next = new Log(plan, terminatedAtD().rerun("a"), nextRun);
  expect(next.asked()).toEqual(["task a#1 x.X/A timeout=30s"]);
  expect(next.state.steps.size).toBe(1);
});

test("a run that went on is rerun with what it took over, which still tells who made the calls", () => {
  const next = new Log(plan, terminatedAtD().rerun("d"), nextRun);
  next.terminate();
  const { rerun } = next.rerun("d");
  expect(rerun?.taken.map(({ runId, owed }) => [Buffer.from(runId).toString("hex"), owed])).toEqual([
    [testRunId, true],
    [testRunId, false],
    [testRunId, true],
  ]);
});

test("a run is rerun once, by the first request, and only after its end", () => {
  const old = new Log(plan, makeStarted());
  const event = { $case: "rerunRequested", value: { step: "a", runId: nextId, ...about } } as const;
  expect(old.event(event)).toMatchObject({ ignored: true });
  expect(rerunSteps(plan, old.state)).toEqual([]);
  old.terminate();
  old.rerun("a");
  expect(old.event(event)).toMatchObject({ ignored: true, refusal: "ALREADY_RERUN" });
  expect(rerunSteps(plan, old.state)).toEqual([]);
});

test("where a run can't go on is refused, with the reason", () => {
  const why = (log: Log, step: string) => {
    const place = rerunPlace(log.plan, log.state, step);
    return place.kind === "refused" ? place.message : "fits";
  };
  const stopped = new Log(plan, makeStarted());
  stopped.done("a", "ra");
  stopped.failed("c");
  stopped.done("c", "", Phase.COMPENSATE);
  stopped.done("a", "", Phase.COMPENSATE);
  stopped.end();
  expect(why(stopped, "a")).toBe("fits");
  expect(why(stopped, "d")).toBe("it can't begin at d: what a did has been undone");
  expect(why(stopped, "x")).toBe(`the workflow's own block has no step "x"`);
  const early = new Log(plan, makeStarted());
  early.done("a", "ra");
  early.terminate();
  expect(why(early, "c")).toBe("fits");
  expect(why(early, "d")).toBe("it can't begin at d: the run came no further than c");
  const nested = makePlan({
    steps: [
      { id: "each", action: { kind: "forEach", in: "['x']", as: "one", body: { steps: [call("a", undo("a"))] } } },
      call("d"),
    ],
  });
  const passes = new Log(nested, makeStarted());
  passes.done("each[0]/a", "ra");
  passes.terminate();
  expect(why(passes, "each[0]/a")).toBe(
    "each[0]/a stands inside of each: a run can begin only at a step of the workflow's own block",
  );
  expect(why(passes, "d")).toBe(
    "it can't begin at d: each[0]/a is to be undone inside of a pass, which can't be taken over",
  );
});

test.for([
  [300, "d"],
  [500, "d"],
  [520, "c"],
  [700, "c"],
  [1_000, "a"],
] as const)(
  "with a request of %i KiB a rerun begins no later than at %s, so that its start fits in a message",
  ([kib, last]) => {
    const old = new Log(plan, makeStarted({ key: "k", request: new Uint8Array(kib * 1024).fill(65) }));
    old.done("a", "a".repeat(250 * 1024));
    old.done("c", "c".repeat(250 * 1024));
    old.terminate();
    expect(rerunSteps(plan, old.state).at(-1)).toBe(last);
    const value = old.rerun(last);
    const sizeBytes = Event.encode({ kind: { $case: "runStarted", value } }).finish().length;
    expect(sizeBytes).toBeLessThan(messageBytesMax - 8_192);
  },
);

test.for([
  [0, "d"],
  [1, "c"],
] as const)("results of 512 KiB and %i bytes together are taken over as far as %s", ([more, last]) => {
  const old = new Log(plan, makeStarted());
  old.done("a", "a".repeat(256 * 1024));
  old.done("c", "c".repeat(256 * 1024 + more));
  old.terminate();
  expect(rerunSteps(plan, old.state).at(-1)).toBe(last);
});

test("a rerun whose start is too large for a message is refused by the fold, too", () => {
  const old = new Log(plan, makeStarted({ request: new Uint8Array(700 * 1024) }));
  old.done("a", "a".repeat(250 * 1024));
  old.done("c", "c".repeat(250 * 1024));
  old.terminate();
  const value = { step: "d", runId: nextId, ...about };
  expect(old.event({ $case: "rerunRequested", value })).toMatchObject({ ignored: true, refusal: "CANNOT_RERUN" });
  const whole = new Log(plan, makeStarted({ request: new Uint8Array(messageBytesMax - 1_000) }));
  whole.terminate();
  expect(rerunPlace(plan, whole.state, "a")).toMatchObject({
    message: "it can't begin at a: its request is too large to be taken over",
  });
});

test("a rerun of a run of an earlier revision is one of the first revision that knows what a rerun is", () => {
  const old = new Log(plan, makeStarted({ engineRevision: 1 }));
  old.done("a", "ra");
  old.terminate();
  expect(old.rerun("a").engineRevision).toBe(2);
});

test("many small steps count as much as large ones", () => {
  const many = makePlan({
    steps: [
      {
        id: "s",
        action: {
          kind: "switch",
          cases: [{ when: "true", block: { steps: Array.from({ length: 2_000 }, (_, at) => call(`n${at}`)) } }],
        },
      },
      call("d"),
    ],
  });
  const old = new Log(many, makeStarted({ request: new Uint8Array(950 * 1024) }));
  for (let at = 0; at < 2_000; at++) old.done(`n${at}`, "x");
  old.terminate();
  const place = rerunPlace(many, old.state, "d");
  expect(place).toMatchObject({
    kind: "refused",
    message: expect.stringMatching(/^it can't begin at d: with what the steps up to n/),
  });
});

test("a step of a block that later ones may read is taken over with it", () => {
  const branching = makePlan({
    steps: [
      {
        id: "s",
        action: { kind: "switch", cases: [{ when: "true", block: { steps: [call("a", undo("a"))], result: "a" } }] },
      },
      call("d", {}, "s"),
    ],
  });
  const old = new Log(branching, makeStarted());
  old.done("a", "ra");
  old.terminate();
  const next = new Log(branching, old.rerun("d"), nextRun);
  expect(next.asked()).toEqual(["task d#1 x.X/D 'ra' timeout=30s"]);
  next.failed("d");
  expect(next.asked()).toEqual(["task undo:a#1 x.X/UndoA timeout=30s undoes=a#1"]);
});

test("what a step of a block did and was taken over is done again, and undone once, where the run that went on is rerun from the block", () => {
  const branching = makePlan({
    steps: [
      call("z"),
      { id: "s", action: { kind: "switch", cases: [{ when: "true", block: { steps: [call("a", undo("a"))] } }] } },
      call("d"),
    ],
  });
  const old = new Log(branching, makeStarted());
  old.done("z", "rz");
  old.done("a", "ra");
  old.terminate();
  const second = new Log(branching, old.rerun("d"), nextRun);
  second.terminate();
  const started = second.rerun("s");
  expect(started.rerun?.taken.map(({ index }) => branching.steps[index]?.name)).toEqual(["z"]);
  const third = new Log(branching, started, nextRun);
  expect(third.asked()).toEqual(["task a#1 x.X/A timeout=30s"]);
  third.done("a", "ra");
  third.failed("d");
  third.asked();
  third.done("a", "", Phase.COMPENSATE);
  expect(third.asked()).toEqual(["end COMPENSATED at d INTERNAL 'bug' after event 1"]);
});
