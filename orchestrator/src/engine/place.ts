import type { Draft } from "./draft.ts";
import { mayOpenStep, tooManySteps } from "./limits.ts";
import type { LiveStep } from "./live.ts";
import { failStep, holdPlace } from "./step.ts";

/** Counts the step among the open ones until it ends; fails it where a run has too many. Answers whether the step goes on. */
export function takePlace(draft: Draft, step: LiveStep): boolean {
  const { state } = draft;
  if (step.isPending) return true;
  if (!mayOpenStep(state, step)) {
    failStep(draft, step, tooManySteps(state, step.path));
    return false;
  }
  holdPlace(draft, step);
  return true;
}
