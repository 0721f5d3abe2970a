import { createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Registry } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Plan } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { RunRecord, StepRecord } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { Bindings } from "../engine/expression/bindings.ts";
import { evaluateBool, evaluateKept, evaluateString, evaluateTimestamp } from "../engine/expression/evaluate.ts";
import type { Expression } from "../engine/expression/load.ts";
import type { Evaluated, KeptValue } from "../engine/expression/result.ts";
import { toKeptList } from "../engine/keptList.ts";
import { loadPlan } from "../engine/loadPlan.ts";
import type { Action, BlockPlan, CallPlan, LoadedPlan, PlannedExpression, StepPlan } from "../engine/plan.ts";
import { buildContract, compileRight } from "./testing.ts";
import { randomOf } from "./testing/random.ts";
import type { Random } from "./testing/random.ts";
import { randomWorkflow } from "./testing/randomDefinition.ts";
import type { Shape } from "./testing/randomDefinition.ts";
import { randomBytes } from "./testing/randomMessage.ts";
import { expressionFailures, runAtRandom } from "./testing/randomWorld.ts";

const contract = buildContract();
const registry = createFileRegistry(contract);

function messageNamed(name: string, from: Registry = registry): NonNullable<ReturnType<Registry["getMessage"]>> {
  const found = from.getMessage(name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

const words = { everything: messageNamed("contract.v1.Everything"), part: messageNamed("contract.v1.Part") };
const everyKind: readonly Action["kind"][] = [
  "call",
  "switch",
  "parallel",
  "forEach",
  "loop",
  "try",
  "compensateNow",
  "waitUntil",
  "let",
  "fail",
  "return",
  "signal",
  "approve",
  "run",
  "emit",
  "yield",
];
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
function planAtRandom(random: Random, shape: Shape): LoadedPlan {
  const type = "contract.v1.Everything";
  const workflow = randomWorkflow(random, words, shape);
  const { plan } = compileRight(contract, {
    input: type,
    output: type,
    isStreaming: shape.isStreaming ?? false,
    workflow,
  });
  return loadPlan(Plan.encode(plan).finish());
}

/** What a seed brought to light, and the seed; empty: nothing. */
function reportOf<T>(tried: fc.RunDetails<T>): string {
  const { errorInstance } = tried;
  return tried.failed
    ? `${fc.defaultReportMessage(tried) ?? ""}\n${errorInstance instanceof Error ? errorInstance.message : ""}`
    : "";
}

function count<T>(counts: Map<T, number>, one: T): void {
  counts.set(one, (counts.get(one) ?? 0) + 1);
}

const seeds = [fc.integer(), fc.integer({ min: 1, max: 12 })] as const;
/** More of them by hand: SIDESTEP_DEFINITIONS=1250 makes 5,000 of every kind. */
const definitions = Number(process.env["SIDESTEP_DEFINITIONS"] ?? 60);

describe("a well-typed definition", () => {
  it("compiles, and no expression of it fails, whatever the input", () => {
    let evaluations = 0;
    const tried = fc.check(
      fc.property(...seeds, (seed, size) => {
        const random = randomOf(seed);
        const plan = planAtRandom(random, { size, isPlain: true });
        for (let pass = 0; pass < 3; pass++) {
          const walk = new Walk(plan, random);
          walk.run();
          evaluations += walk.evaluations;
        }
      }),
      { numRuns: definitions },
    );
    expect(reportOf(tried)).toBe("");
    expect(evaluations).toBeGreaterThan(500);
  });

  it("of steps of every kind runs in the engine to some end, and no expression fails on the way", () => {
    const kinds = new Map<string, number>();
    const states = new Map<Run_State, number>();
    const tried = fc.check(
      fc.property(...seeds, fc.boolean(), (seed, size, isStreaming) => {
        const random = randomOf(seed);
        const plan = planAtRandom(random, { size: size * 2, isStreaming });
        for (let pass = 0; pass < 3; pass++) {
          const run = runAtRandom(plan, words, random);
          const failures = expressionFailures(run);
          if (failures.length > 0) throw new Error(failures.join("\n"));
          count(states, run.ended.state);
          for (const one of run.transitions) if (one.kind === "stepBegan") count(kinds, one.plan.action.kind);
        }
      }),
      { numRuns: definitions * 4 },
    );
    expect(reportOf(tried)).toBe("");
    expect([...kinds.keys()].toSorted()).toEqual([...everyKind].toSorted());
    expect([...states.keys()]).toEqual(expect.arrayContaining([Run_State.COMPLETED, Run_State.COMPENSATED]));
  });
});
