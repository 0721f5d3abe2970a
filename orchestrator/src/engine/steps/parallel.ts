import type { Draft } from "../draft.ts";
import { toKeptList } from "../keptList.ts";
import type { BlockPlan } from "../plan.ts";
import type { Inner, LiveStep } from "../state.ts";
import { stopFrame } from "../stop.ts";
import { endInner, enterBlocks } from "./inner.ts";

/** Runs all branches at the same time. */
export function beginParallel(draft: Draft, step: LiveStep, inner: Inner, branches: readonly BlockPlan[]): void {
  enterBlocks(draft, step, inner, branches);
}

/** A branch is over. All must succeed: after the first failure the others are given up and awaited. */
export function continueParallel(draft: Draft, step: LiveStep, inner: Inner): void {
  if (inner.failure !== undefined && !inner.isStopping) {
    inner.isStopping = true;
    for (const frame of inner.frames) stopFrame(draft, frame);
  }
  if (inner.open > 0) return;
  const results = inner.frames.map((frame) => frame.result);
  endInner(draft, step, inner, toKeptList(step.plan.resultType, results, draft.plan.registry));
}
