import { createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Registry } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AttemptId_Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RunEnded } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Plan } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { RunRecord, StepRecord } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { code } from "../../../proto/wire/status.ts";
import type { Bindings } from "../engine/expression/bindings.ts";
import { evaluateBool, evaluateKept, evaluateString, evaluateTimestamp } from "../engine/expression/evaluate.ts";
import type { Expression } from "../engine/expression/load.ts";
import type { Evaluated, KeptValue } from "../engine/expression/result.ts";
import { advance } from "../engine/advance.ts";
import type { PublishTask } from "../engine/command.ts";
import type { LogRecord } from "../engine/record.ts";
import { newRun } from "../engine/state.ts";
import { eventAt, makeFailure, makeStarted, outcomeAt, testRunId } from "../engine/testing/records.ts";
import { toKeptList } from "../engine/keptList.ts";
import { loadPlan } from "../engine/loadPlan.ts";
import type { BlockPlan, CallPlan, LoadedPlan, PlannedExpression, StepPlan } from "../engine/plan.ts";
import { buildContract, compileRight } from "./testing.ts";
import { randomOf } from "./testing/random.ts";
import type { Random } from "./testing/random.ts";
import { randomWorkflow } from "./testing/randomDefinition.ts";
import { randomBytes } from "./testing/randomMessage.ts";

const contract = buildContract();
const registry = createFileRegistry(contract);

function messageNamed(name: string, from: Registry = registry): NonNullable<ReturnType<Registry["getMessage"]>> {
  const found = from.getMessage(name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

const words = { everything: messageNamed("contract.v1.Everything"), part: messageNamed("contract.v1.Part") };
const moment = { seconds: 1_780_000_000n, nanos: 0 };
const runRecord: RunRecord = { id: "r", key: "k", workflow: "w", version: 1, startedAt: moment, deadline: undefined };
const stepRecord: StepRecord = { attempts: 1, startedAt: moment, endedAt: moment, decision: undefined };

/** Walks a plan as a run would, evaluating everything on its way; throws when an expression fails or yields what it shouldn't. */
class Walk {
  readonly #plan: LoadedPlan;
  readonly #random: Random;
  readonly #values = new Map<string, Uint8Array>();
  readonly #ended = new Set<string>();
  evaluations = 0;

  constructor(plan: LoadedPlan, random: Random) {
    this.#plan = plan;
    this.#random = random;
    this.#values.set("input", randomBytes(words.everything, random));
  }

  run(): void {
    const { key, output, attributes, body } = this.#plan;
    if (key !== undefined) this.#value(evaluateString, key, { run: undefined, now: undefined });
    for (const { value } of attributes) this.#kept(value);
    this.#block(body);
    if (output !== undefined) this.#kept(output);
  }

  #block(block: BlockPlan): KeptValue | undefined {
    for (const step of block.steps) this.#step(step);
    return block.result === undefined ? undefined : this.#kept(block.result);
  }

  #step(step: StepPlan): void {
    if (step.when !== undefined && !this.#value(evaluateBool, step.when)) return;
    const result = this.#act(step);
    if (step.id === "") return;
    if (result !== undefined) this.#values.set(step.id, result);
    this.#ended.add(step.id);
    const undo = step.compensate?.undo;
    if (undo?.kind === "call") this.#call(undo.call);
    if (undo?.kind === "block") this.#block(undo.block);
  }

  #act(step: StepPlan): Uint8Array | undefined {
    const { action } = step;
    switch (action.kind) {
      case "call":
        return this.#call(action.call);
      case "let":
        return this.#kept(action.value).bytes;
      case "waitUntil":
        this.#value(evaluateTimestamp, action.until);
        return undefined;
      case "switch": {
        // All conditions are evaluated, not only those before the first true one.
        const isTaken = action.cases.map(({ when }) => this.#value(evaluateBool, when));
        const block = action.cases[isTaken.indexOf(true)]?.block ?? action.otherwise;
        return block === undefined ? undefined : this.#block(block)?.bytes;
      }
      case "parallel": {
        const results = action.branches.map((branch) => this.#block(branch));
        return toKeptList(step.resultType, results, this.#plan.registry)?.bytes;
      }
      case "fail":
        if (action.fail.message !== undefined) this.#value(evaluateString, action.fail.message);
        for (const { value } of action.fail.details) this.#kept(value);
        return undefined;
      case "return":
      case "wait":
      case "forEach":
      case "loop":
      case "try":
      case "compensateNow":
      case "signal":
      case "approve":
      case "run":
      case "emit":
      case "yield":
        return undefined;
    }
  }

  #call(call: CallPlan): Uint8Array {
    if (call.request !== undefined) this.#kept(call.request);
    for (const header of call.headers) if ("value" in header) this.#value(evaluateString, header.value);
    return randomBytes(messageNamed(call.responseType), this.#random);
  }

  /** A kept value whose bytes are what its type says. */
  #kept(planned: PlannedExpression): KeptValue {
    const value = this.#value(evaluateKept, planned);
    const message = this.#plan.registry.getMessage(value.type);
    if (message !== undefined) {
      const again = toBinary(message, fromBinary(message, value.bytes));
      if (again.length !== value.bytes.length)
        throw new Error(`${planned.place} yields bytes that are no ${value.type}`);
    }
    return value;
  }

  #value<T>(
    evaluate: (expression: Expression, bindings: Bindings) => Evaluated<T>,
    planned: PlannedExpression,
    rest: Pick<Bindings, "run" | "now"> = { run: runRecord, now: moment },
  ): T {
    this.evaluations++;
    const evaluated = evaluate(planned.expression, {
      variable: (name) => this.#values.get(name),
      step: (id) => (this.#ended.has(id) ? stepRecord : undefined),
      metadata: new Map(),
      ...rest,
    });
    if (evaluated.kind === "failed")
      throw new Error(`${planned.place}: ${planned.expression.source}: ${evaluated.message}`);
    return evaluated.value;
  }
}

/** A definition made at random, compiled, and loaded from its plan's bytes. */
function planAtRandom(random: Random, size: number): LoadedPlan {
  const type = "contract.v1.Everything";
  const workflow = randomWorkflow(random, words, size);
  const { plan } = compileRight(contract, { input: type, output: type, workflow });
  return loadPlan(Plan.encode(plan).finish());
}

/** How a run ends in the engine, when services answer at random and now and then refuse. */
function runAtRandom(plan: LoadedPlan, random: Random): RunEnded | undefined {
  const state = newRun(testRunId);
  const tasks: PublishTask[] = [];
  const timers = new Map<number, number>();
  const request = randomBytes(words.everything, random);
  let next = eventAt(1, 0, { $case: "runStarted", value: makeStarted({ request }) });
  for (let sequence = 2; sequence < 1000; sequence++) {
    for (const command of advance(plan, state, next).commands) {
      if (command.kind === "endRun") return command.ended;
      if (command.kind === "publishTask") tasks.push(command);
      if (command.kind === "armTimer") timers.set(command.number, command.dueMs);
      if (command.kind === "cancelTimer") timers.delete(command.number);
    }
    const task = tasks.splice(random.below(tasks.length), 1)[0];
    const [timer] = [...timers].toSorted(([, a], [, b]) => a - b);
    if (task !== undefined) next = answerOf(task, sequence, random);
    else if (timer === undefined) return undefined;
    else {
      const [number, dueMs] = timer;
      timers.delete(number);
      const fired = eventAt(sequence, 0, { $case: "timerFired", value: { number, dueMs } });
      next = { ...fired, storedMs: Math.max(dueMs, state.nowMs) };
    }
  }
  return undefined;
}

function answerOf(task: PublishTask, sequence: number, random: Random): LogRecord {
  if (task.attempt.phase === AttemptId_Phase.FORWARD && random.chance(0.1)) {
    return outcomeAt(sequence, 0, task.attempt, { $case: "failed", value: makeFailure("OUT_OF_RANGE", "refused") });
  }
  const response = task.method.endsWith("/Pick") ? words.part : words.everything;
  return outcomeAt(sequence, 0, task.attempt, { $case: "completed", value: randomBytes(response, random) });
}

const seeds = [fc.integer(), fc.integer({ min: 1, max: 12 })] as const;

describe("a well-typed definition", () => {
  it("compiles, and no expression of it fails, whatever the input", () => {
    let evaluations = 0;
    const tried = fc.check(
      fc.property(...seeds, (seed, size) => {
        const random = randomOf(seed);
        const plan = planAtRandom(random, size);
        for (let pass = 0; pass < 3; pass++) {
          const walk = new Walk(plan, random);
          walk.run();
          evaluations += walk.evaluations;
        }
      }),
      { numRuns: 60 },
    );
    expect(fc.defaultReportMessage(tried) ?? "").toBe("");
    expect(evaluations).toBeGreaterThan(500);
  });

  it("runs in the engine to its response or to a service's refusal, and what it reads is there", () => {
    const ends = new Map<number, number>();
    const tried = fc.check(
      fc.property(...seeds, (seed, size) => {
        const random = randomOf(seed);
        const plan = planAtRandom(random, size);
        for (let pass = 0; pass < 3; pass++) {
          const ended = runAtRandom(plan, random);
          const status = ended?.status?.code ?? (ended?.state === Run_State.COMPLETED ? code.OK : code.UNKNOWN);
          if (status !== code.OK && status !== code.OUT_OF_RANGE) throw new Error(JSON.stringify(ended?.status));
          ends.set(status, (ends.get(status) ?? 0) + 1);
        }
      }),
      { numRuns: 60 },
    );
    expect(fc.defaultReportMessage(tried) ?? "").toBe("");
    expect(ends.get(code.OK)).toBeGreaterThan(30);
    expect(ends.get(code.OUT_OF_RANGE)).toBeGreaterThan(3);
  });
});
