import type {
  ActionSketch,
  BlockSketch,
  CallSketch,
  PlanSketch,
  StepSketch,
} from "../../orchestrator/src/engine/testing/sketch.ts";
import type { Random } from "./random.ts";

/** What a workflow is made with. */
interface Maker {
  readonly random: Random;
  /** Nothing ends by itself but by its calls. */
  readonly endless: boolean;
  nextId: number;
}

/** One kind of step: how often it comes, and how one is made. Blocks come only where there may be more of them inside. */
interface Kind {
  readonly weight: number;
  readonly isBlock?: true;
  readonly make: (maker: Maker, depth: number) => ActionSketch;
}

const kinds: readonly Kind[] = [
  { weight: 52, make: (maker) => ({ kind: "call", ...toCall(maker) }) },
  { weight: 9, isBlock: true, make: toParallel },
  { weight: 6, isBlock: true, make: toSwitch },
  { weight: 6, isBlock: true, make: toForEach },
  { weight: 5, isBlock: true, make: toLoop },
  { weight: 7, isBlock: true, make: toTry },
  { weight: 1, make: () => ({ kind: "compensateNow" }) },
  { weight: 7, make: ({ random }) => ({ kind: "wait", forMs: random.int(1, 8_000) }) },
  { weight: 2, make: ({ random }) => ({ kind: "let", value: random.chance(0.2) ? "oops(no_such_key)" : "'x'" }) },
  { weight: 3, make: () => ({ kind: "fail", code: "ABORTED", message: "'enough'" }) },
  { weight: 2, make: () => ({ kind: "return", value: "'early'" }) },
];

/** A random workflow. With `endless`, nothing in it ends by itself but by its calls. */
export function toWorkflow(random: Random, endless: boolean): PlanSketch {
  const maker: Maker = { random, endless, nextId: 0 };
  const steps = toSteps(maker, random.int(1, 5), 2);
  const calls = steps.filter((step) => step.action.kind === "call" && step.when === undefined);
  const last = calls.at(-1)?.id;
  return {
    steps,
    outputStep: last,
    timeoutMs: !endless && random.chance(0.2) ? random.int(2_000, 60_000) : undefined,
    saga: random.chance(0.2) ? "PARALLEL" : "REVERSE",
  };
}

function toSteps(maker: Maker, length: number, depth: number): readonly StepSketch[] {
  return Array.from({ length }, () => toStep(maker, depth));
}

function toStep(maker: Maker, depth: number): StepSketch {
  const { random } = maker;
  const id = `s${maker.nextId++}`;
  const action = pickKind(random, depth).make(maker, depth);
  const when = random.chance(0.08) ? "false" : undefined;
  if (action.kind !== "call" || !random.chance(0.7)) return { id, when, action };
  if (!random.chance(0.1)) return { id, when, action, undo: toUndo(maker, id) };
  const undone: StepSketch = { id: `u${maker.nextId++}`, action: { kind: "call", ...toUndo(maker, id) } };
  return { id, when, action, undoBlock: { steps: [undone] } };
}

function pickKind(random: Random, depth: number): Kind {
  const possible = kinds.filter(({ isBlock }) => depth > 0 || isBlock === undefined);
  const total = possible.reduce((sum, { weight }) => sum + weight, 0);
  let at = random.next() * total;
  return possible.find(({ weight }) => (at -= weight) < 0) ?? random.pick(possible);
}

function toBlock(maker: Maker, depth: number): BlockSketch {
  return { steps: toSteps(maker, maker.random.int(0, 2), depth) };
}

function toParallel(maker: Maker, depth: number): ActionSketch {
  const { random } = maker;
  const branches = Array.from({ length: random.int(2, 3) }, () => toBlock(maker, depth - 1));
  return { kind: "parallel", branches, need: random.chance(0.3) ? random.int(1, branches.length) : undefined };
}

function toSwitch(maker: Maker, depth: number): ActionSketch {
  const cases = [{ when: maker.random.pick(["true", "false"]), block: toBlock(maker, depth - 1) }];
  return { kind: "switch", cases, otherwise: toBlock(maker, depth - 1) };
}

function toForEach(maker: Maker, depth: number): ActionSketch {
  const { random } = maker;
  return {
    kind: "forEach",
    in: `items(${random.int(0, 3)})`,
    atOnce: random.int(1, 3),
    body: toBlock(maker, depth - 1),
  };
}

function toLoop(maker: Maker, depth: number): ActionSketch {
  const { random } = maker;
  const pauseMs = random.chance(0.3) ? random.int(1, 3_000) : undefined;
  return { kind: "loop", max: random.int(1, 3), pauseMs, body: toBlock(maker, depth - 1) };
}

function toTry(maker: Maker, depth: number): ActionSketch {
  const { random } = maker;
  const caught = toBlock(maker, depth - 1);
  const undoes: StepSketch = { id: `s${maker.nextId++}`, action: { kind: "compensateNow" } };
  const block = random.chance(0.4) ? { steps: [undoes, ...caught.steps] } : caught;
  return {
    kind: "try",
    body: toBlock(maker, depth - 1),
    catches: random.chance(0.8) ? [{ codes: random.chance(0.5) ? ["NOT_FOUND"] : undefined, block }] : undefined,
    finally: random.chance(0.4) ? toBlock(maker, depth - 1) : undefined,
  };
}

function toCall({ random, endless }: Maker): CallSketch {
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

function toUndo({ random }: Maker, id: string): CallSketch {
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
