import type { CallSketch, PlanSketch, StepSketch } from "../../orchestrator/src/engine/testing/sketch.ts";
import type { Random } from "./random.ts";
import { signalNames } from "./workflow.ts";

/** What versions are made of: chance of its own, so that the rest of a seed stays as it is. */
export const versionSeeds = 2_000_000_011;

/** Another version of a workflow: what differs comes late most often, as where a later step is mended. */
export function otherVersion(random: Random, sketch: PlanSketch): PlanSketch {
  let steps = sketch.steps;
  for (let n = random.int(1, 2); n > 0; n--) steps = changed(random, steps);
  const last = steps.findLast(({ action, when }) => action.kind === "call" && when === undefined);
  return { ...sketch, steps, outputStep: last?.id };
}

function changed(random: Random, steps: readonly StepSketch[]): readonly StepSketch[] {
  const at = random.chance(0.7) ? steps.length - 1 : random.int(0, steps.length - 1);
  const what = random.next();
  if (what < 0.3) return [...steps, added(random, steps)];
  if (what < 0.4) return steps.toSpliced(at, 0, added(random, steps));
  if (what < 0.5) return steps.slice(0, -1);
  return steps.map((step, n) => (n === at || random.chance(0.2) ? mended(random, step) : step));
}

/** Its name is that of no other step, of whichever version. */
function added(random: Random, steps: readonly StepSketch[]): StepSketch {
  const id = `v${steps.length}x${random.int(0, 1_000_000)}`;
  const what = random.next();
  if (what < 0.6)
    return { id, action: { kind: "call", method: `test.v1.Service/M${random.int(0, 3)}`, timeoutMs: 2_000 } };
  if (what < 0.8) return { id, action: { kind: "wait", forMs: random.int(1, 4_000) } };
  return { id, action: { kind: "signal", name: random.pick(signalNames) } };
}

/** A call sends something else, or has more time; what undoes it does. */
function mended(random: Random, step: StepSketch): StepSketch {
  const { action, undo } = step;
  if (undo !== undefined && random.chance(0.5)) return { ...step, undo: mendedCall(random, undo) };
  return action.kind === "call" ? { ...step, action: { kind: "call", ...mendedCall(random, action) } } : step;
}

function mendedCall(random: Random, call: CallSketch): CallSketch {
  const what = random.next();
  if (what < 0.4) return { ...call, request: `'mended ${random.int(0, 9)}'` };
  if (what < 0.7) return { ...call, timeoutMs: random.int(200, 3_000) };
  return { ...call, exhausted: call.exhausted === "FAIL" ? "PAUSE" : "FAIL" };
}
