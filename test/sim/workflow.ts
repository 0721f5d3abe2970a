import type {
  ActionSketch,
  BlockSketch,
  CallSketch,
  PlanSketch,
  StepSketch,
} from "../../orchestrator/src/engine/testing/plan.ts";
import type { Random } from "./random.ts";

/** A random workflow. With `endless`, nothing in it ends by itself but by its calls. */
export function toWorkflow(random: Random, endless: boolean): PlanSketch {
  const count = { next: 0 };
  const steps = toSteps(random, endless, count, random.int(1, 5), 2);
  const calls = steps.filter((step) => step.action.kind === "call" && step.when === undefined);
  const last = calls.at(-1)?.id;
  return {
    steps,
    outputStep: last,
    timeoutMs: !endless && random.chance(0.2) ? random.int(2_000, 60_000) : undefined,
    saga: random.chance(0.2) ? "PARALLEL" : "REVERSE",
  };
}

function toSteps(
  random: Random,
  endless: boolean,
  count: { next: number },
  length: number,
  depth: number,
): readonly StepSketch[] {
  return Array.from({ length }, () => toStep(random, endless, count, depth));
}

function toStep(random: Random, endless: boolean, count: { next: number }, depth: number): StepSketch {
  const id = `s${count.next++}`;
  const action = toAction(random, endless, count, depth);
  const when = random.chance(0.08) ? "false" : undefined;
  const undo = action.kind === "call" && random.chance(0.7) ? toUndo(random, id) : undefined;
  return { id, when, undo, action };
}

function toAction(random: Random, endless: boolean, count: { next: number }, depth: number): ActionSketch {
  const kind = random.next();
  if (kind < 0.62 || (depth === 0 && kind < 0.86)) return { kind: "call", ...toCall(random, endless) };
  if (kind < 0.76) {
    const branches = Array.from({ length: random.int(2, 3) }, () => toBlock(random, endless, count, depth - 1));
    return { kind: "parallel", branches };
  }
  if (kind < 0.84) {
    const cases = [{ when: random.pick(["true", "false"]), block: toBlock(random, endless, count, depth - 1) }];
    return { kind: "switch", cases, otherwise: toBlock(random, endless, count, depth - 1) };
  }
  if (kind < 0.93) return { kind: "wait", forMs: random.int(1, 8_000) };
  if (kind < 0.95) return { kind: "let", value: random.chance(0.2) ? "oops(no_such_key)" : "'x'" };
  if (kind < 0.98) return { kind: "fail", code: "ABORTED", message: "'enough'" };
  return { kind: "return", value: "'early'" };
}

function toBlock(random: Random, endless: boolean, count: { next: number }, depth: number): BlockSketch {
  return { steps: toSteps(random, endless, count, random.int(0, 2), depth) };
}

function toCall(random: Random, endless: boolean): CallSketch {
  return {
    method: `test.v1.Service/M${random.int(0, 3)}`,
    timeoutMs: random.int(200, 3_000),
    stepTimeoutMs: !endless && random.chance(0.3) ? random.int(500, 20_000) : undefined,
    noticeMs: random.chance(0.3) ? random.int(500, 5_000) : 0,
    attempts: random.int(1, 4),
    backoffMs: random.int(0, 300),
    backoffMaxMs: 2_000,
    doubt: random.pick(["RETRY", "RETRY", "RETRY", "PAUSE", "FAIL"] as const),
    exhausted: random.pick(["PAUSE", "FAIL"] as const),
    isIdempotent: random.chance(0.2),
  };
}

function toUndo(random: Random, id: string): CallSketch {
  return {
    method: "test.v1.Service/Undo",
    request: `'undo ${id}'`,
    timeoutMs: random.int(200, 3_000),
    attempts: random.int(1, 6),
    backoffMs: random.int(0, 300),
    backoffMaxMs: 2_000,
    exhausted: random.pick(["PAUSE", "PAUSE", "FAIL"] as const),
  };
}
