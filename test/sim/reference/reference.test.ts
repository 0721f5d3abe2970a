import { expect, test } from "vitest";
import type { PlanSketch } from "../../../orchestrator/src/engine/testing/sketch.ts";
import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { CodeName } from "../../../proto/wire/status.ts";
import type { Execution } from "../performed.ts";
import { toRandom } from "../random.ts";
import type { Random } from "../random.ts";
import { quietFaults } from "../stack/faults.ts";
import { play } from "../stack/simulate.ts";
import type { Simulated } from "../stack/simulate.ts";
import { toWorkflows } from "../workflow.ts";
import { callsOf, interpret, isTimeless } from "./interpret.ts";
import type { Answers } from "./interpret.ts";

const seeds = 500;

/** Passing failures that an attempt is left for, or in some a final answer; not in a branch, where it would be a race. */
function toAnswers(random: Random, plan: PlanSketch): Answers {
  const answers = new Map<string, readonly CodeName[]>();
  for (const { step, isInBranch } of callsOf(plan)) {
    if (step.action.kind !== "call" || step.id === undefined) continue;
    const passing = Array.from({ length: random.int(0, (step.action.attempts ?? 1) - 1) }, () => "ABORTED" as const);
    const last = !isInBranch && random.chance(0.08) ? random.pick(["NOT_FOUND", "FAILED_PRECONDITION"] as const) : "OK";
    answers.set(step.id, [...passing, last]);
  }
  return answers;
}

function run(seed: number, random: Random, plan: PlanSketch, answers: Answers): Promise<Simulated> {
  return play({
    seed,
    random,
    faults: quietFaults,
    plans: [plan],
    partitions: 1,
    script: ({ step, phase, attempt }) => {
      const list = phase === Phase.COMPENSATE ? [] : (answers.get(lastPart(step)) ?? []);
      return list[attempt - 1] ?? list.at(-1) ?? "OK";
    },
    begin: (stage, callers) => {
      stage.counts.callers = 1;
      const [loaded] = stage.plans;
      if (loaded !== undefined) callers.begin(loaded, 0, "key");
    },
    dies: undefined,
    isDeadly: false,
    tells: false,
  });
}

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function happened(executions: readonly Execution[], phase: Phase): readonly string[] {
  const steps = executions
    .filter((it) => it.phase === phase && it.effectAt !== undefined)
    .map(({ step }) => lastPart(step));
  return [...new Set(steps)].toSorted();
}

test(`on ${seeds} days without faults runs end as the naive interpreter says`, { timeout: 900_000 }, async () => {
  let compared = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const random = toRandom(seed);
    const {
      plans: [plan = { steps: [] }],
    } = toWorkflows(random, true, 1);
    if (!isTimeless(plan)) continue;
    compared++;
    const answers = toAnswers(random, plan);
    const { ended, executions, violations } = await run(seed, random, plan, answers);
    const [end] = ended;
    const seen = {
      violations,
      state: end?.state,
      response: new TextDecoder().decode(end?.response),
      code: end?.status?.code ?? 0,
      step: lastPart(end?.step ?? ""),
      done: happened(executions, Phase.FORWARD),
      undone: happened(executions, Phase.COMPENSATE),
    };
    const { done, undone, ...expected } = interpret(plan, answers);
    expect(seen, `seed ${seed}: ${JSON.stringify(plan)}`).toEqual({
      violations: [],
      ...expected,
      done: [...done].toSorted(),
      undone: [...undone].toSorted(),
    });
  }
  expect(compared).toBeGreaterThan(seeds / 2);
});
