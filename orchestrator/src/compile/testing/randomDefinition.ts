import type { DescMessage } from "@bufbuild/protobuf";
import { Status_Code } from "../../../../proto/gen/sidestep/v1/workflow.ts";
import type { DeepPartial, Step, Workflow } from "../../../../proto/gen/sidestep/v1/workflow.ts";
import type { Random } from "./random.ts";
import { expressionOf } from "./randomExpression.ts";
import type { Kind, Readable } from "./randomExpression.ts";

/** The messages that definitions are made over. */
export interface Vocabulary {
  readonly everything: DescMessage;
  readonly part: DescMessage;
}

interface Making {
  readonly random: Random;
  readonly words: Vocabulary;
  /** Steps still to be made. */
  left: number;
  ids: number;
}

/** A workflow from Everything to Everything in which each expression is well typed. */
export function randomWorkflow(random: Random, words: Vocabulary, size: number): DeepPartial<Workflow> {
  const making: Making = { random, words, left: 1 + random.below(size), ids: 0 };
  const input: Readable = { name: "input", type: { kind: "message", message: words.everything }, isCertain: true };
  const names: Readable[] = [input];
  const step = randomSteps(making, names, 2);
  return {
    key: `"k" + ${textOf(making, { kind: "string" }, [input], false)}`,
    attribute: [{ name: "one", value: textOf(making, { kind: "int" }, [input], false) }],
    step,
    output: textOf(making, { kind: "message", message: words.everything }, names, true),
  };
}

/** An expression short enough for a definition. */
function textOf({ random }: Making, type: Kind, names: readonly Readable[], isRunning: boolean): string {
  for (let depth = 3; depth >= 0; depth--) {
    const text = expressionOf(type, { random, names, isRunning, depth, comprehensions: 2 });
    if (text.length < 1500) return text;
  }
  return type.kind === "bool" ? "true" : "{}";
}

/** Steps one after the other; `names` grows by what can be read behind them. */
function randomSteps(making: Making, names: Readable[], nesting: number): DeepPartial<Step>[] {
  const steps: DeepPartial<Step>[] = [];
  do {
    making.left--;
    steps.push(randomStep(making, names, nesting));
  } while (making.left > 0 && making.random.chance(0.75));
  return steps;
}

function randomStep(making: Making, names: Readable[], nesting: number): DeepPartial<Step> {
  const { random } = making;
  const when = random.chance(0.25) ? textOf(making, { kind: "bool" }, names, true) : "";
  const begun = names.length;
  const made = randomKind(making, names, nesting);
  // What a skipped step holds may not have run.
  if (when !== "") for (let at = begun; at < names.length; at++) names[at] = uncertain(names[at]);
  if (made.result !== undefined) {
    const id = `s${making.ids++}`;
    names.push({ name: id, type: made.result, isCertain: when === "" });
    return { ...made.step, id, when };
  }
  return { ...made.step, when };
}

interface MadeKind {
  readonly step: DeepPartial<Step>;
  readonly result: Kind | undefined;
}

function randomKind(making: Making, names: Readable[], nesting: number): MadeKind {
  const { random } = making;
  const flat = [
    () => makeCall(making, names),
    () => makeLet(making, names),
    () => makeWait(making, names),
    () => makeFail(making, names),
  ];
  const nested = [() => makeSwitch(making, names, nesting - 1), () => makeParallel(making, names, nesting - 1)];
  return random.pick(nesting > 0 && making.left > 0 ? [...flat, ...nested, ...nested] : flat)();
}

function makeCall(making: Making, names: readonly Readable[]): MadeKind {
  const { random, words } = making;
  const message = random.chance(0.5) ? words.everything : words.part;
  const type: Kind = { kind: "message", message };
  const method = message === words.part ? "contract.v1.Mirror/Pick" : "contract.v1.Mirror/Reflect";
  const header = random.chance(0.3)
    ? [{ key: "x-text", kind: { $case: "value", value: textOf(making, { kind: "string" }, names, true) } as const }]
    : [];
  const request = textOf(making, type, names, true);
  const undo = {
    method: "contract.v1.Mirror/Pick",
    request: textOf(making, { kind: "message", message: words.part }, names, true),
  };
  return {
    step: {
      kind: { $case: "call", value: { method, request, header } },
      ...(random.chance(0.3) ? { compensate: { kind: { $case: "call", value: undo } as const } } : {}),
    },
    result: type,
  };
}

function makeLet(making: Making, names: readonly Readable[]): MadeKind {
  const { everything, part } = making.words;
  const [spelling, type] = making.random.pick<readonly [string, Kind]>([
    ["", { kind: "bool" }],
    ["", { kind: "int" }],
    ["", { kind: "string" }],
    ["", { kind: "timestamp" }],
    ["int32", { kind: "int" }],
    ["uint32", { kind: "uint" }],
    ["double", { kind: "double" }],
    ["contract.v1.Colour", { kind: "colour" }],
    ["contract.v1.Part", { kind: "message", message: part }],
    ["contract.v1.Everything", { kind: "message", message: everything }],
    ["list(string)", { kind: "list", element: { kind: "string" } }],
    ["list(contract.v1.Part)", { kind: "list", element: { kind: "message", message: part } }],
    ["map(string, int64)", { kind: "map", key: { kind: "string" }, value: { kind: "int" } }],
  ]);
  return {
    step: { kind: { $case: "let", value: { type: spelling, value: textOf(making, type, names, true) } } },
    result: type,
  };
}

function makeWait(making: Making, names: readonly Readable[]): MadeKind {
  const until = textOf(making, { kind: "timestamp" }, names, true);
  return { step: { kind: { $case: "wait", value: { kind: { $case: "until", value: until } } } }, result: undefined };
}

/** Never taken, so that what comes after it is reached. */
function makeFail(making: Making, names: readonly Readable[]): MadeKind {
  const { part } = making.words;
  const fail = {
    code: Status_Code.ABORTED,
    message: textOf(making, { kind: "string" }, names, true),
    detail: [{ type: "contract.v1.Part", value: textOf(making, { kind: "message", message: part }, names, true) }],
  };
  const condition = textOf(making, { kind: "bool" }, names, true);
  return {
    step: {
      kind: {
        $case: "switch",
        value: { case: [{ when: `${condition} && false`, step: [{ kind: { $case: "fail", value: fail } }] }] },
      },
    },
    result: undefined,
  };
}

function makeSwitch(making: Making, names: Readable[], nesting: number): MadeKind {
  const { random } = making;
  const hasResults = random.chance(0.5);
  const type: Kind = { kind: random.pick(["int", "string", "bool"] as const) };
  const found: Readable[] = [];
  const arm = (): { step: DeepPartial<Step>[]; result: string } => {
    const inside = [...names];
    const step = randomSteps(making, inside, nesting);
    found.push(...inside.slice(names.length).map((name) => uncertain(name)));
    return { step, result: hasResults ? textOf(making, type, inside, true) : "" };
  };
  const cases = Array.from({ length: 1 + random.below(2) }, () => ({
    when: textOf(making, { kind: "bool" }, names, true),
    ...arm(),
  }));
  const fallback = hasResults || random.chance(0.5) ? { default: arm() } : {};
  names.push(...found);
  return {
    step: { kind: { $case: "switch", value: { case: cases, ...fallback } } },
    result: hasResults ? type : undefined,
  };
}

function makeParallel(making: Making, names: Readable[], nesting: number): MadeKind {
  const { random } = making;
  const hasResults = random.chance(0.5);
  const type: Kind = { kind: random.pick(["int", "string"] as const) };
  const found: Readable[] = [];
  const branch = Array.from({ length: 1 + random.below(3) }, () => {
    const inside = [...names];
    const step = randomSteps(making, inside, nesting);
    found.push(...inside.slice(names.length));
    return { step, result: hasResults ? textOf(making, type, inside, true) : "" };
  });
  names.push(...found);
  return {
    step: { kind: { $case: "parallel", value: { branch } } },
    result: hasResults ? { kind: "list", element: type } : undefined,
  };
}

function uncertain(name: Readable | undefined): Readable {
  if (name === undefined) throw new Error("no such name");
  return { ...name, isCertain: false };
}
