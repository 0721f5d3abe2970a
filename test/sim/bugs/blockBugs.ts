import type { PlantedBug } from "./plantedBugs.ts";

const steps = "orchestrator/src/engine/steps";

/** Bugs of the steps that hold blocks. */
export const blockBugs: readonly PlantedBug[] = [
  {
    kind: "source",
    name: "for_each: more passes at one time than it says",
    file: `${steps}/forEach.ts`,
    find: " && inner.frames.size < atOnce) {",
    replace: " && (inner.frames.size < atOnce || atOnce > 0)) {",
  },
  {
    kind: "source",
    name: "for_each: a failed pass leaves the others going",
    file: `${steps}/forEach.ts`,
    find: "if (inner.failure !== undefined) giveUpFrames(draft, inner);",
    replace: "",
  },
  {
    kind: "source",
    name: "loop: one pass more than it may have",
    file: `${steps}/loop.ts`,
    find: "if (progress.passes >= plan.iterationsMax) {",
    replace: "if (progress.passes > plan.iterationsMax) {",
  },
  {
    kind: "source",
    name: "try: a catch whose condition is false is taken",
    file: `${steps}/try.ts`,
    find: "    if (!evaluated.value) continue;\n",
    replace: "",
  },
  {
    kind: "source",
    name: "try: a failure goes by its finally",
    file: `${steps}/try.ts`,
    find: "if (plan.finally === undefined) finish(",
    replace: "if (plan.finally === undefined || progress.failure !== undefined) finish(",
  },
  {
    kind: "source",
    name: "parallel: a failed branch counts as one that succeeded",
    file: `${steps}/parallel.ts`,
    find: "const hasEnough = inner.done >= plan.need;",
    replace: "const hasEnough = inner.done + inner.failed >= plan.need;",
  },
  {
    kind: "source",
    name: "compensate_now: what is in flight is not waited for",
    file: `${steps}/compensateNow.ts`,
    find: "if (scope.attempts > 0) {",
    replace: "if (scope.attempts < 0) {",
  },
];
