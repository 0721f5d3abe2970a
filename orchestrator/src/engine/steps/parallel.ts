import type { Draft } from "../draft.ts";
import type { KeptValue } from "../expression/result.ts";
import { toKeptList } from "../keptList.ts";
import type { Inner, LiveStep } from "../live.ts";
import type { ParallelPlan } from "../plan.ts";
import { cancelStep, completeStep, failStep } from "../step.ts";
import { enterBlock, giveUpFrames, takeEnded } from "./inner.ts";

/** Runs all branches at the same time. */
export function beginParallel(draft: Draft, step: LiveStep, inner: Inner, { branches }: ParallelPlan): void {
  for (const branch of branches) enterBlock(draft, step, inner, branch);
  if (branches.length === 0) completeStep(draft, step, undefined);
}

/**
 * A branch is over. Once as many have succeeded as are needed, or so many have failed that they can't, the others are given up and awaited.
 * A branch that succeeds while it is given up counts, too.
 */
export function continueParallel(draft: Draft, step: LiveStep, inner: Inner, plan: ParallelPlan): void {
  takeEnded(inner);
  const hasEnough = inner.done >= plan.need;
  const isLost = plan.branches.length - inner.failed < plan.need;
  if (hasEnough || isLost) giveUpFrames(draft, inner);
  if (inner.frames.size > 0) return;
  if (hasEnough) completeStep(draft, step, resultOf(draft, step, inner, plan));
  else if (isLost && inner.failure !== undefined) failStep(draft, step, inner.failure);
  else cancelStep(draft, step);
}

/** Of the branches that succeeded first, as many as are needed: the value of the one, or the list of them in the order of the branches. */
function resultOf(draft: Draft, step: LiveStep, { results }: Inner, plan: ParallelPlan): KeptValue | undefined {
  const first = [...results].slice(0, plan.need);
  if (plan.takesFirst) return first[0]?.[1];
  if (first.length < plan.need) return undefined;
  const values = first.toSorted(([a], [b]) => a - b).map(([, value]) => value);
  return toKeptList(step.plan.resultType, values, draft.plan.registry);
}
