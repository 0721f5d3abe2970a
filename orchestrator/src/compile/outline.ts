import type { Block, Step } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { whyNotAnIdentifier } from "./cel/reserved.ts";
import type { Surroundings } from "./context.ts";
import { elementOf, fieldOf } from "./place.ts";
import type { Place } from "./place.ts";

/** All steps of a workflow at a glance, before any of them is compiled. */
export interface Outline {
  /** The path of the step that each id names; of two steps with the same id, the first. */
  readonly ids: ReadonlyMap<string, string>;
  /** Ids that no step can have, but that expressions may well use. */
  readonly wrongIds: ReadonlySet<string>;
  /** Names that loops give to values, and why they can't be read outside. */
  readonly loopVariables: ReadonlyMap<string, string>;
  /** It is small enough to be compiled. */
  readonly fits: boolean;
}

/** Looks through the steps, nested ones too: ids and sizes; what is wrong with them becomes findings. */
export function outlineOf(surroundings: Surroundings, steps: readonly Step[], root: Place): Outline {
  const { findings, limits, packages } = surroundings;
  const seen = new Map<string, string>();
  const wrongIds = new Set<string>();
  const given: LoopVariable[] = [];
  let count = 0;
  let fits = true;
  const tooLarge = (place: Place, message: string, hint: string): void => {
    if (fits) findings.add("LIMIT", place, message, hint);
    fits = false;
  };
  const noteId = (step: Step, place: Place): void => {
    if (step.title.length > limits.nameLengthMax) {
      const message = `the title has ${step.title.length} characters, the limit is ${limits.nameLengthMax}`;
      findings.add("LIMIT", fieldOf(place, "title"), message, "shorten it");
    }
    if (step.id === "") return;
    const at = fieldOf(place, "id");
    const why = whyNotAnIdentifier(step.id, packages);
    const first = seen.get(step.id);
    if (why !== undefined) {
      findings.add("STEP_ID", at, `a step can't be named '${step.id}': ${why}`, "choose another id");
      wrongIds.add(step.id);
    } else if (step.id.length > limits.nameLengthMax) {
      findings.add(
        "LIMIT",
        at,
        `the id has ${step.id.length} characters, the limit is ${limits.nameLengthMax}`,
        "shorten it",
      );
    } else if (first !== undefined) {
      findings.add("STEP_ID_TWICE", at, `the id '${step.id}' is given twice`, `${first} has it too`);
    } else seen.set(step.id, place.path);
  };
  const noteLoop = (step: Step, place: Place, around: ReadonlySet<string>): ReadonlySet<string> => {
    const inside = new Set(around);
    for (const variable of loopVariablesOf(step, place)) {
      if (variable.name === "") continue;
      given.push({ ...variable, isTaken: inside.has(variable.name) });
      inside.add(variable.name);
    }
    return inside;
  };
  const walk = (inside: readonly Step[], place: Place, depth: number, around: ReadonlySet<string>): void => {
    for (const [index, step] of inside.entries()) {
      const at = elementOf(place, "step", index);
      count++;
      if (count > limits.stepsMax) {
        tooLarge(
          at,
          `the workflow has more than ${limits.stepsMax} steps`,
          "split it: a step can run another workflow",
        );
      }
      if (depth > limits.nestingMax) {
        tooLarge(at, `blocks stand more than ${limits.nestingMax} deep in each other`, "flatten them");
      }
      if (!fits) return;
      noteId(step, at);
      const seenInside = noteLoop(step, at, around);
      for (const block of blocksOf(step, at)) walk(block.steps, block.place, depth + 1, seenInside);
    }
  };
  walk(steps, root, 1, new Set());
  const loopVariables = checkLoopVariables(surroundings, given, seen);
  return { ids: seen, wrongIds, loopVariables, fits };
}

/** A name that a loop gives to a value; `isTaken`: a loop around it gives the same. */
interface LoopVariable {
  readonly name: string;
  readonly place: Place;
  readonly isTaken: boolean;
}

/** The names that can be given, and why they can't be read elsewhere. */
function checkLoopVariables(
  { findings, limits, packages }: Surroundings,
  given: readonly LoopVariable[],
  ids: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const right = new Map<string, string>();
  for (const { name, place, isTaken } of given) {
    const taken = ids.get(name);
    const why = isTaken
      ? "a loop around it has that name for something else"
      : taken === undefined
        ? whyNotAnIdentifier(name, packages)
        : `${taken} has that id`;
    if (why !== undefined) {
      const message = `'${name}' can't be the name of a variable: ${why}`;
      findings.add("LOOP_VARIABLE", place, message, "choose another name");
    } else if (name.length > limits.nameLengthMax) {
      const message = `the name has ${name.length} characters, the limit is ${limits.nameLengthMax}`;
      findings.add("LIMIT", place, message, "shorten it");
    } else right.set(name, "it stands for a value of a loop, inside it only");
  }
  return right;
}

/** The names that a loop gives to values of its own. `index` may be said, though it is built in. */
function loopVariablesOf(step: Step, place: Place): readonly { readonly name: string; readonly place: Place }[] {
  if (step.kind?.$case === "forEach") {
    const at = fieldOf(place, "for_each");
    const { as, indexAs } = step.kind.value;
    const element = { name: as, place: fieldOf(at, "as") };
    return indexAs === "index" ? [element] : [element, { name: indexAs, place: fieldOf(at, "index_as") }];
  }
  if (step.kind?.$case === "loop") {
    const at = fieldOf(place, "loop");
    return step.kind.value.carry.map(({ name }, index) => ({
      name,
      place: fieldOf(elementOf(at, "carry", index), "name"),
    }));
  }
  return [];
}

interface Inner {
  readonly steps: readonly Step[];
  readonly place: Place;
}

/** All blocks of a step, its compensation's among them. */
export function blocksOf(step: Step, place: Place): readonly Inner[] {
  const undo = step.compensate?.kind;
  const blocks = blocksOfKind(step, place);
  if (undo?.$case !== "block") return blocks;
  return [...blocks, { steps: undo.value.step, place: fieldOf(fieldOf(place, "compensate"), "block") }];
}

/** The blocks that a step runs when it goes forward. */
function blocksOfKind({ kind }: Step, place: Place): readonly Inner[] {
  const named = (at: Place, name: string, block: Block | undefined): readonly Inner[] =>
    block === undefined ? [] : [{ steps: block.step, place: fieldOf(at, name) }];
  switch (kind?.$case) {
    case "switch": {
      const at = fieldOf(place, "switch");
      const cases = kind.value.case.map((one, index) => ({ steps: one.step, place: elementOf(at, "case", index) }));
      return [...cases, ...named(at, "default", kind.value.default)];
    }
    case "parallel": {
      const at = fieldOf(place, "parallel");
      return kind.value.branch.map((one, index) => ({ steps: one.step, place: elementOf(at, "branch", index) }));
    }
    case "forEach":
      return [{ steps: kind.value.step, place: fieldOf(place, "for_each") }];
    case "loop":
      return [{ steps: kind.value.step, place: fieldOf(place, "loop") }];
    case "try": {
      const at = fieldOf(place, "try");
      const catches = kind.value.catch.map((one, index) => ({ steps: one.step, place: elementOf(at, "catch", index) }));
      return [{ steps: kind.value.step, place: at }, ...catches, ...named(at, "finally", kind.value.finally)];
    }
    case "signal":
      return named(fieldOf(place, "signal"), "on_timeout", kind.value.onTimeout);
    case "approve": {
      const at = fieldOf(place, "approve");
      return [...named(at, "on_timeout", kind.value.onTimeout), ...named(at, "on_reject", kind.value.onReject)];
    }
    case "call":
    case "run":
    case "wait":
    case "emit":
    case "let":
    case "fail":
    case "return":
    case "yield":
    case "compensateNow":
    case undefined:
      return [];
  }
}
