import type { DeepPartial, Step, Workflow } from "../../../../proto/gen/sidestep/v1/workflow.ts";
import { textOf, uncertain } from "./making.ts";
import type { MadeKind, Making, Spot, Vocabulary } from "./making.ts";
import type { Random } from "./random.ts";
import { makeForEach, makeLoop, makeParallel, makeSwitch, makeTry } from "./randomBlock.ts";
import type { Readable } from "./randomExpression.ts";
import { makeCall, makeChild, makeEmit, makeEnd, makeFail, makeLet, makeWait, makeYield } from "./randomLeaf.ts";
import { makeApproval, makeSignal } from "./randomTalk.ts";

/** What a definition may be made of. */
export interface Shape {
  /** At most so many steps. */
  readonly size: number;
  /** Calls, lets, waits, switches and parallels only. */
  readonly isPlain?: boolean;
  readonly isStreaming?: boolean;
}

/** A workflow from Everything to Everything in which each expression is well typed. */
export function randomWorkflow(random: Random, words: Vocabulary, shape: Shape): DeepPartial<Workflow> {
  const { size, isPlain = false, isStreaming = false } = shape;
  const making: Making = { random, words, isPlain, isStreaming, left: 1 + random.below(size), ids: 0 };
  const input: Readable = { name: "input", type: { kind: "message", message: words.everything }, isCertain: true };
  const names: Readable[] = [input];
  const step = randomSteps(making, names, { nesting: 3, isUndoing: false });
  return {
    key: `"k" + ${textOf(making, { kind: "string" }, [input], false)}`,
    attribute: [{ name: "one", value: textOf(making, { kind: "int" }, [input], false) }],
    step,
    output: textOf(making, { kind: "message", message: words.everything }, names),
  };
}

function randomSteps(making: Making, names: Readable[], spot: Spot): DeepPartial<Step>[] {
  const steps: DeepPartial<Step>[] = [];
  do {
    making.left--;
    steps.push(randomStep(making, names, spot));
  } while (making.left > 0 && making.random.chance(making.isPlain ? 0.75 : 0.88));
  return steps;
}

function randomStep(making: Making, names: Readable[], spot: Spot): DeepPartial<Step> {
  const { random } = making;
  const when = random.chance(0.25) ? textOf(making, { kind: "bool" }, names) : "";
  const lock =
    !making.isPlain && random.chance(0.1) ? `"lock " + string(${textOf(making, { kind: "int" }, names)})` : "";
  const before = [...names];
  const made = randomKind(making, names, spot);
  const id = made.result === undefined ? "" : `s${making.ids++}`;
  const own = made.result === undefined ? [] : [{ name: id, type: made.result, isCertain: false }];
  const undo = canBeUndone(made, spot, making) ? randomUndo(making, [...before, ...own]) : {};
  // What a skipped step holds may not have run.
  if (when !== "") names.splice(before.length, names.length, ...names.slice(before.length).map(uncertain));
  if (made.result !== undefined)
    names.push({ name: id, type: made.result, isCertain: when === "" && made.isUncertain !== true });
  return { ...made.step, ...undo, id, when, lock };
}

function randomKind(making: Making, names: Readable[], spot: Spot): MadeKind {
  const { random } = making;
  const inner: Spot = { ...spot, nesting: spot.nesting - 1 };
  const plain = [
    () => makeCall(making, names),
    () => makeLet(making, names),
    () => makeWait(making, names),
    () => makeFail(making, names),
  ];
  const plainBlocks = [
    () => makeSwitch(making, names, inner, randomSteps),
    () => makeParallel(making, names, inner, randomSteps),
  ];
  const leaves = [
    () => makeCall(making, names),
    () => makeEmit(making, names),
    ...(making.isStreaming ? [] : [() => makeChild(making, names)]),
    ...(making.isStreaming ? [() => makeYield(making, names)] : []),
    ...(spot.isUndoing ? [] : [() => makeEnd(making, names)]),
  ];
  const blocks = [
    () => makeForEach(making, names, inner, randomSteps),
    () => makeLoop(making, names, inner, randomSteps),
    () => makeTry(making, names, inner, randomSteps),
    () => makeSignal(making, names, inner, randomSteps),
    () => makeApproval(making, names, inner, randomSteps),
  ];
  const isDeep = spot.nesting <= 0 || making.left <= 0;
  if (making.isPlain) return random.pick(isDeep ? plain : [...plain, ...plainBlocks, ...plainBlocks])();
  return random.pick(
    isDeep ? [...plain, ...leaves] : [...plain, ...leaves, ...plainBlocks, ...blocks, ...plainBlocks, ...blocks],
  )();
}

const notUndone: ReadonlySet<string | undefined> = new Set(["wait", "fail", "return", "yield", "compensateNow"]);

function canBeUndone({ step }: MadeKind, { isUndoing }: Spot, { random }: Making): boolean {
  return !isUndoing && !notUndone.has(step.kind?.$case) && random.chance(0.25);
}

/** It sees what the step saw, and the step's own result where there is one. */
function randomUndo(making: Making, names: readonly Readable[]): Pick<DeepPartial<Step>, "compensate"> {
  const { random, words } = making;
  const when = random.chance(0.3) ? textOf(making, { kind: "bool" }, names) : "";
  if (making.isPlain || random.chance(0.5)) {
    const request = textOf(making, { kind: "message", message: words.part }, names);
    return { compensate: { when, kind: { $case: "call", value: { method: "contract.v1.Mirror/Pick", request } } } };
  }
  const step = randomSteps(making, [...names], { nesting: 1, isUndoing: true });
  return { compensate: { when, kind: { $case: "block", value: { step } } } };
}
