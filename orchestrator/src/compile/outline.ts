import type { Step } from "../../../proto/gen/sidestep/v1/workflow.ts";
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
  /** It is small enough to be compiled. */
  readonly fits: boolean;
}

/** Looks through the steps, nested ones too: ids and sizes; what is wrong with them becomes findings. */
export function outlineOf(surroundings: Surroundings, steps: readonly Step[], root: Place): Outline {
  const { findings, limits, packages } = surroundings;
  const seen = new Map<string, string>();
  const wrongIds = new Set<string>();
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
  const walk = (inside: readonly Step[], place: Place, depth: number): void => {
    for (const [index, step] of inside.entries()) {
      const at = elementOf(place, "step", index);
      count++;
      if (count > limits.stepsMax) {
        tooLarge(
          at,
          `the workflow has more than ${limits.stepsMax} steps`,
          "split it: a step can call another workflow's services",
        );
      }
      if (depth > limits.nestingMax) {
        tooLarge(at, `blocks stand more than ${limits.nestingMax} deep in each other`, "flatten them");
      }
      if (!fits) return;
      noteId(step, at);
      for (const block of blocksOf(step, at)) walk(block.steps, block.place, depth + 1);
    }
  };
  walk(steps, root, 1);
  return { ids: seen, wrongIds, fits };
}

function blocksOf(step: Step, place: Place): readonly { readonly steps: readonly Step[]; readonly place: Place }[] {
  if (step.kind?.$case === "switch") {
    const at = fieldOf(place, "switch");
    const cases = step.kind.value.case.map((one, index) => ({ steps: one.step, place: elementOf(at, "case", index) }));
    const fallback = step.kind.value.default;
    return fallback === undefined ? cases : [...cases, { steps: fallback.step, place: fieldOf(at, "default") }];
  }
  if (step.kind?.$case === "parallel") {
    const at = fieldOf(place, "parallel");
    return step.kind.value.branch.map((one, index) => ({ steps: one.step, place: elementOf(at, "branch", index) }));
  }
  return [];
}
