import { isCelList, isCelMap } from "@bufbuild/cel";
import type { CelValue } from "@bufbuild/cel";
import type { Builder } from "./build.ts";

/** What one evaluation carries along; evaluations never overlap, so an environment has one. */
export interface Meter {
  stepsLeft: number;
  builders: readonly Builder[];
}

/** Told when the steps are used up. */
export const budgetMessage = "the expression takes too many steps (--evaluation-steps-max)";

/** Counts steps; throws when there are none left. */
export function spend(meter: Meter, steps: number): void {
  meter.stepsLeft -= steps;
  if (meter.stepsLeft < 0) throw new Error(budgetMessage);
}

/** Steps that looking through a value takes beyond the call itself: one an element, one for each 64 characters or bytes. */
export function weightOf(value: CelValue | undefined): number {
  if (typeof value === "string" || value instanceof Uint8Array) return value.length >> 6;
  return isCelList(value) || isCelMap(value) ? value.size : 0;
}
