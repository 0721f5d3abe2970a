import type { World } from "./world.ts";

/** More steps than this at once: the runs go round in circles. */
const stepsMax = 1_000_000;

/**
 * Lets things happen until `isDone` says so, or nothing is due until then; false: nothing is. Answers that are promises are waited for, and time
 * stands still meanwhile. Rejects with what a service throws.
 */
export async function drive(world: World, untilMs: number, isDone: () => boolean): Promise<boolean> {
  for (let steps = 0; steps < stepsMax; steps++) {
    if (isDone()) return true;
    if (world.underWay.size > 0) await Promise.all(world.underWay);
    else if (!world.step(untilMs)) return isDone();
  }
  throw new Error(`nothing came to an end in ${stepsMax} steps`);
}

/** The same for services that answer at once. */
export function driveNow(world: World, untilMs: number, isDone: () => boolean): boolean {
  for (let steps = 0; steps < stepsMax; steps++) {
    if (isDone()) return true;
    if (!world.step(untilMs)) return isDone();
  }
  throw new Error(`nothing came to an end in ${stepsMax} steps`);
}
