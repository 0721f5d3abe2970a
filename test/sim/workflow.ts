import type {
  ActionSketch,
  BlockSketch,
  CallSketch,
  DueSketch,
  PlanSketch,
  StepSketch,
} from "../../orchestrator/src/engine/testing/sketch.ts";
import type { Random } from "./random.ts";

/** Names of the signals that every workflow takes. */
export const signalNames = ["go", "other"] as const;
/** A workflow that is not deployed. */
export const missingWorkflow = "test.v1.Child/Missing";
/** Who may decide where a step says who. */
export const approver = "ann";

/** The workflows of a day. */
export interface Workflows {
  /** Those that callers start. */
  readonly plans: readonly PlanSketch[];
  /** Those that runs start, by the full name of their rpc. */
  readonly children: ReadonlyMap<string, PlanSketch>;
}

/** What a workflow is made with. */
interface Maker {
  readonly random: Random;
  /** Nothing ends by itself but by its calls and by people. */
  readonly endless: boolean;
  /** Shared by all workflows of the day. */
  readonly children: Map<string, PlanSketch>;
  /** Children of this level and above may be started: none starts itself. */
  readonly level: number;
  nextId: number;
  /** Whose lock may still be taken inside: locks are taken in one order, so that nobody waits for one who waits for him. */
  locks: "any" | "leaf" | "none";
}

/** One kind of step: how often it comes, and how one is made. */
interface Kind {
  readonly weight: number;
  /** Only where there may be more steps inside. */
  readonly isBlock?: true;
  /** There may be steps inside. */
  readonly holdsSteps?: true;
  /** Waits for another run. */
  readonly isRun?: true;
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
  { weight: 4, holdsSteps: true, make: toSignal },
  { weight: 3, holdsSteps: true, make: toApprove },
  { weight: 4, isRun: true, make: toRun },
  { weight: 4, make: () => ({ kind: "emit", subject: "'orders.placed'", message: "'placed'" }) },
  { weight: 3, make: ({ nextId }) => ({ kind: "yield", value: `'yielded ${nextId}'` }) },
];

const childLevels = 2;

/** Some random workflows. With `endless`, nothing in them ends by itself but by its calls and by people. */
export function toWorkflows(random: Random, endless: boolean, count: number): Workflows {
  const children = new Map<string, PlanSketch>();
  const plans = Array.from({ length: count }, () => toPlan(random, endless, children, 0));
  return { plans, children };
}

function toPlan(random: Random, endless: boolean, children: Map<string, PlanSketch>, level: number): PlanSketch {
  const maker: Maker = { random, endless, children, level, nextId: 0, locks: "any" };
  const steps = level === 0 ? toSteps(maker, random.int(1, 5), 2) : toSteps(maker, random.int(1, 2), 1);
  const calls = steps.filter((step) => step.action.kind === "call" && step.when === undefined);
  const last = calls.at(-1)?.id;
  return {
    steps,
    outputStep: last,
    timeoutMs: !endless && random.chance(0.2) ? random.int(2_000, 60_000) : undefined,
    saga: random.chance(0.2) ? "PARALLEL" : "REVERSE",
    signals: signalNames,
  };
}

function toSteps(maker: Maker, length: number, depth: number): readonly StepSketch[] {
  return Array.from({ length }, () => toStep(maker, depth));
}

function toStep(maker: Maker, depth: number): StepSketch {
  const { random } = maker;
  const id = `s${maker.nextId++}`;
  const kind = pickKind(maker, depth);
  const lock = kind.isRun === true ? undefined : toLock(maker, kind);
  const before = maker.locks;
  if (lock !== undefined) maker.locks = lock === outerLock ? "leaf" : "none";
  const action = kind.make(maker, depth);
  maker.locks = before;
  const when = random.chance(0.08) ? "false" : undefined;
  const step: StepSketch = { id, when, lock, action };
  const mayBeUndone = action.kind === "call" || action.kind === "run" || action.kind === "emit";
  if (!mayBeUndone || !random.chance(0.7)) return step;
  if (!random.chance(0.1)) return { ...step, undo: toUndo(maker, id) };
  const undone: StepSketch = { id: `u${maker.nextId++}`, action: { kind: "call", ...toUndo(maker, id) } };
  return { ...step, undoBlock: { steps: [undone] } };
}

const outerLock = "'outer'";

function toLock({ random, locks }: Maker, { isBlock, holdsSteps }: Kind): string | undefined {
  if (locks === "none" || !random.chance(0.05)) return undefined;
  if (isBlock === undefined && holdsSteps === undefined) return random.pick(["'a'", "'b'"]);
  return locks === "any" ? outerLock : undefined;
}

function pickKind({ random, locks, level }: Maker, depth: number): Kind {
  // Nothing under a lock waits for another run, which may want the same.
  const mayStart = locks === "any" && level < childLevels;
  const possible = kinds.filter(
    ({ isBlock, isRun }) => (depth > 0 || isBlock === undefined) && (mayStart || isRun === undefined),
  );
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

function toSignal(maker: Maker, depth: number): ActionSketch {
  return { kind: "signal", name: maker.random.pick(signalNames), ...toDue(maker, depth) };
}

function toApprove(maker: Maker, depth: number): ActionSketch {
  const { random } = maker;
  return {
    kind: "approve",
    title: "'may it go on?'",
    approvers: random.chance(0.3) ? `['${approver}']` : undefined,
    onReject: depth > 0 && random.chance(0.3) ? toBlock(maker, depth - 1) : undefined,
    ...toDue(maker, depth),
  };
}

function toDue(maker: Maker, depth: number): DueSketch {
  const { random, endless } = maker;
  if (endless || random.chance(0.5)) return {};
  const onTimeout = depth > 0 && random.chance(0.5) ? toBlock(maker, depth - 1) : undefined;
  return { timeoutMs: random.int(100, 8_000), onTimeout };
}

function toRun({ random, endless, children, level }: Maker): ActionSketch {
  const workflow = random.chance(0.06)
    ? missingWorkflow
    : `test.v1.Child/L${random.int(level + 1, childLevels)}N${random.int(0, 1)}`;
  const levelOf = Number(/L(\d)/.exec(workflow)?.[1] ?? 0);
  if (workflow !== missingWorkflow && !children.has(workflow))
    children.set(workflow, toPlan(random, endless, children, levelOf));
  return { kind: "run", workflow, request: "'\n\u0005child'", detach: random.chance(0.2) };
}

function toCall(maker: Maker): CallSketch {
  const { random, endless } = maker;
  return {
    method: `test.v1.Service/M${random.int(0, 3)}`,
    timeoutMs: random.int(200, 3_000),
    stepTimeoutMs: !endless && random.chance(0.3) ? random.int(500, 20_000) : undefined,
    noticeMs: random.chance(0.3) ? random.int(500, 5_000) : 0,
    attempts: random.int(1, 4),
    backoffMs: random.int(0, 300),
    backoffMaxMs: 2_000,
    exhausted: random.pick(["PAUSE", "FAIL"] as const),
    isIdempotent: random.chance(0.2),
    ...toDoubt(random, "forward"),
  };
}

function toDoubt(random: Random, phase: "forward" | "undo"): Pick<CallSketch, "doubt" | "verify"> {
  const doubt = random.pick(["RETRY", "RETRY", "RETRY", "PAUSE", "FAIL", "VERIFY"] as const);
  if (doubt !== "VERIFY") return { doubt };
  return {
    doubt,
    verify: { method: "test.v1.Service/Verify", request: `'${phase}'`, done: "!answer=='no'", result: "answer" },
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
    ...(random.chance(0.1) ? toDoubt(random, "undo") : {}),
  };
}
