import type { DescMessage } from "@bufbuild/protobuf";
import { Status_Code } from "../../../../proto/gen/sidestep/v1/workflow.ts";
import type { DeepPartial, Step } from "../../../../proto/gen/sidestep/v1/workflow.ts";
import { innerTextOf, textOf, uncertain } from "./making.ts";
import type { MadeKind, Making, Spot, StepsMaker } from "./making.ts";
import type { Kind, Readable } from "./randomExpression.ts";

/** One of several blocks. */
export function makeSwitch(making: Making, names: Readable[], spot: Spot, makeSteps: StepsMaker): MadeKind {
  const { random } = making;
  const hasResults = random.chance(0.5);
  const type: Kind = { kind: random.pick(["int", "string", "bool"] as const) };
  const found: Readable[] = [];
  const arm = (): { step: DeepPartial<Step>[]; result: string } => {
    const inside = [...names];
    const step = makeSteps(making, inside, spot);
    found.push(...inside.slice(names.length).map(uncertain));
    return { step, result: hasResults ? textOf(making, type, inside) : "" };
  };
  const cases = Array.from({ length: 1 + random.below(2) }, () => ({
    when: textOf(making, { kind: "bool" }, names),
    ...arm(),
  }));
  const fallback = hasResults || random.chance(0.5) ? { default: arm() } : {};
  names.push(...found);
  return {
    step: { kind: { $case: "switch", value: { case: cases, ...fallback } } },
    result: hasResults ? type : undefined,
  };
}

/** Blocks beside each other, of which sometimes not all are needed. */
export function makeParallel(making: Making, names: Readable[], spot: Spot, makeSteps: StepsMaker): MadeKind {
  const { random } = making;
  const hasResults = random.chance(0.5);
  const type: Kind = { kind: random.pick(["int", "string"] as const) };
  const found: Readable[] = [];
  const branch = Array.from({ length: 1 + random.below(3) }, () => {
    const inside = [...names];
    const step = makeSteps(making, inside, spot);
    found.push(...inside.slice(names.length));
    return { step, result: hasResults ? textOf(making, type, inside) : "" };
  });
  const need = making.isPlain || random.chance(0.5) ? 0 : 1 + random.below(branch.length);
  names.push(...(need === 0 || need === branch.length ? found : found.map(uncertain)));
  const result: Kind = need === 1 ? type : { kind: "list", element: type };
  return {
    step: { kind: { $case: "parallel", value: { branch, need } } },
    result: hasResults ? result : undefined,
  };
}

const elements = ["int", "string", "bool", "uint", "double", "timestamp"] as const;

/** A body for each element of a list. */
export function makeForEach(making: Making, names: Readable[], spot: Spot, makeSteps: StepsMaker): MadeKind {
  const { random, words } = making;
  const number = making.ids++;
  const [list, element] = listOf(making, words.part, names);
  const inside: Readable[] = [
    ...names,
    { name: `item${number}`, type: element, isCertain: true },
    { name: `at${number}`, type: { kind: "int" }, isCertain: true },
  ];
  const step = makeSteps(making, inside, spot);
  const collected: Kind | undefined = random.chance(0.6) ? { kind: random.pick(elements) } : undefined;
  const collect = collected === undefined ? "" : textOf(making, collected, inside);
  const each = {
    in: list,
    as: `item${number}`,
    indexAs: `at${number}`,
    maxParallel: random.below(3),
    step,
    collect,
  };
  return {
    step: { kind: { $case: "forEach", value: each } },
    result: collected === undefined ? undefined : { kind: "list", element: collected },
  };
}

/** A list whose own text says what its elements are: nothing is wanted of it there. */
function listOf(making: Making, part: DescMessage, names: readonly Readable[]): readonly [string, Kind] {
  const { random } = making;
  const condition = innerTextOf(making, { kind: "bool" }, names);
  return random.pick<readonly [string, Kind]>([
    ["input.parts", { kind: "message", message: part }],
    [`input.parts.filter(p, ${condition})`, { kind: "message", message: part }],
    [`[1] + ${textOf(making, { kind: "list", element: { kind: "int" } }, names)}`, { kind: "int" }],
    [`["a"] + ${textOf(making, { kind: "list", element: { kind: "string" } }, names)}`, { kind: "string" }],
    ["input.texts", { kind: "string" }],
    ["input.numbers.map(n, n + 1)", { kind: "int" }],
  ]);
}

/** A body again and again, with values handed from pass to pass. */
export function makeLoop(making: Making, names: Readable[], spot: Spot, makeSteps: StepsMaker): MadeKind {
  const { random, words } = making;
  const begun = Array.from({ length: random.below(3) }, () => {
    const [type, kind] = random.pick<readonly [string, Kind]>([
      ["int64", { kind: "int" }],
      ["string", { kind: "string" }],
      ["bool", { kind: "bool" }],
      ["contract.v1.Part", { kind: "message", message: words.part }],
    ]);
    return { name: `carry${making.ids++}`, type, kind, init: textOf(making, kind, names) };
  });
  const inside: Readable[] = [
    ...names,
    { name: "iteration", type: { kind: "int" }, isCertain: true },
    ...begun.map(({ name, kind }): Readable => ({ name, type: kind, isCertain: true })),
  ];
  const before = random.chance(0.5) ? textOf(making, { kind: "bool" }, inside) : "";
  const step = makeSteps(making, inside, spot);
  const collected: Kind | undefined = random.chance(0.5) ? { kind: random.pick(elements) } : undefined;
  const loop = {
    while: before === "" ? "" : `(${before}) && iteration < 2`,
    until: `${textOf(making, { kind: "bool" }, inside)} || iteration >= 1`,
    maxIterations: 3,
    pause: random.chance(0.3) ? "1s" : "",
    carry: begun.map(({ name, type, kind, init }) => ({ name, type, init, next: textOf(making, kind, inside) })),
    step,
    collect: collected === undefined ? "" : textOf(making, collected, inside),
  };
  return {
    step: { kind: { $case: "loop", value: loop } },
    result: collected === undefined ? undefined : { kind: "list", element: collected },
  };
}

const ofError: readonly Readable[] = [
  { name: "error.message", type: { kind: "string" }, isCertain: true },
  { name: "error.reason", type: { kind: "string" }, isCertain: true },
  { name: "error.step", type: { kind: "string" }, isCertain: true },
  { name: "error.in_doubt", type: { kind: "bool" }, isCertain: true },
];

/** Steps whose failures are caught, all but those of expressions. */
export function makeTry(making: Making, names: Readable[], spot: Spot, makeSteps: StepsMaker): MadeKind {
  const { random } = making;
  const type: Kind | undefined = random.chance(0.5) ? { kind: random.pick(elements) } : undefined;
  const resultOf = (seen: readonly Readable[]): string => (type === undefined ? "" : textOf(making, type, seen));
  const found: Readable[] = [];
  const arm = (seen: readonly Readable[]): { step: DeepPartial<Step>[]; result: string } => {
    const inside = [...names, ...seen];
    const begun = inside.length;
    const step = makeSteps(making, inside, spot);
    const result = resultOf(inside);
    found.push(...inside.slice(begun).map(uncertain));
    return { step, result };
  };
  const body = arm([]);
  const ofBody = [...found];
  const caught = Array.from({ length: random.below(3) }, () => ({
    code: random.pick([[Status_Code.OUT_OF_RANGE], [Status_Code.ABORTED, Status_Code.DEADLINE_EXCEEDED]]),
    when: random.chance(0.5) ? textOf(making, { kind: "bool" }, [...names, ...ofError, ...ofBody]) : "",
    ...arm([...ofError, ...ofBody]),
  }));
  const last = random.chance(0.4) ? { finally: { step: makeSteps(making, [...names, ...found], spot) } } : {};
  names.push(...found);
  return {
    step: { kind: { $case: "try", value: { ...body, catch: caught, ...last } } },
    result: type,
  };
}
