import type { Draft } from "../draft.ts";
import type { KeptValue } from "../expression/result.ts";
import type { BlockPlan } from "../plan.ts";
import type { Frame, Inner, LiveStep } from "../state.ts";
import { cancelStep, completeStep, failStep } from "../step.ts";

/** The blocks of a step that has not entered any. */
export function makeInner(): Inner {
  return { frames: [], open: 0, failure: undefined, isStopping: false };
}

/** Enters blocks; each goes on from the worklist. Steps with nothing to enter are complete. */
export function enterBlocks(draft: Draft, step: LiveStep, inner: Inner, blocks: readonly BlockPlan[]): void {
  step.state = { kind: "inside" };
  for (const block of blocks) {
    const frame: Frame = {
      kind: "frame",
      block,
      owner: step,
      slot: inner.frames.length,
      scope: step.frame.scope,
      position: 0,
      current: undefined,
      state: "going",
      result: undefined,
    };
    inner.frames.push(frame);
    inner.open += 1;
    draft.state.worklist.push(frame);
  }
  if (inner.open === 0) completeStep(draft, step, undefined);
}

/** All blocks of the step are over. */
export function endInner(draft: Draft, step: LiveStep, inner: Inner, result: KeptValue | undefined): void {
  if (inner.failure !== undefined) failStep(draft, step, inner.failure);
  else if (inner.frames.some((frame) => frame.state === "stopped")) cancelStep(draft, step);
  else completeStep(draft, step, result);
}
