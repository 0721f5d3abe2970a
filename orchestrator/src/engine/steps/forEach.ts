import { code } from "../../../../proto/wire/status.ts";
import type { Draft } from "../draft.ts";
import { evaluateValue } from "../evaluate.ts";
import { toFailure } from "../failure.ts";
import { elementAt, openKeptList, toKeptList } from "../keptList.ts";
import type { KeptList } from "../keptList.ts";
import { toKeptInt } from "../keptMessage.ts";
import { passesShownMax, tooLarge } from "../limits.ts";
import type { ForEachProgress, Frame, Inner, LiveStep } from "../live.ts";
import { forgetPass, keepPass, makePassScope } from "../pass.ts";
import type { ForEachPlan } from "../plan.ts";
import { cancelStep, completeStep, failStep } from "../step.ts";
import { enterBlock, giveUpFrames, takeEnded } from "./inner.ts";

/** Runs the body once for each element of a list, several passes at the same time. */
export function beginForEach(draft: Draft, step: LiveStep, inner: Inner, plan: ForEachPlan): void {
  const { state } = draft;
  const evaluated = evaluateValue({ state, scope: step.frame.scope, step: step.path }, plan.in);
  if (evaluated.kind === "failed") {
    failStep(draft, step, evaluated.failure);
    return;
  }
  const list = openKeptList(evaluated.value, draft.plan.registry);
  const itemsMax = state.started?.limits?.itemsMax ?? 0;
  if (itemsMax > 0 && list.size > itemsMax) {
    const message = `the list has ${list.size} elements, ${itemsMax} are allowed (--items-max)`;
    failStep(draft, step, toFailure(state.runId, step.path, code.RESOURCE_EXHAUSTED, "ITEMS_LIMIT", message));
    return;
  }
  inner.progress = { kind: "forEach", list, next: 0, resultBytes: 0 };
  goOn(draft, step, inner, plan, inner.progress);
}

/** Passes are over. All must succeed: after the first failure the others are given up and awaited. */
export function continueForEach(draft: Draft, step: LiveStep, inner: Inner, plan: ForEachPlan): void {
  const { progress } = inner;
  if (progress?.kind !== "forEach") return;
  for (const frame of takeEnded(inner)) endPass(draft, step, inner, progress, frame);
  if (inner.failure !== undefined) giveUpFrames(draft, inner);
  goOn(draft, step, inner, plan, progress);
}

function endPass(draft: Draft, step: LiveStep, inner: Inner, progress: ForEachProgress, frame: Frame): void {
  if (frame.state === "done" && progress.list.size > passesShownMax) forgetPass(draft, frame.scope);
  else keepPass(frame.scope);
  progress.resultBytes += frame.result?.bytes.length ?? 0;
  inner.failure ??= tooLarge(draft.state, step.path, "the collected list", progress.resultBytes);
}

function goOn(draft: Draft, step: LiveStep, inner: Inner, plan: ForEachPlan, progress: ForEachProgress): void {
  const { list } = progress;
  const atOnce = plan.parallelMax || (draft.state.started?.limits?.parallelMax ?? 0) || Infinity;
  while (!inner.isStopping && progress.next < list.size && inner.frames.size < atOnce) {
    enterPass(draft, step, inner, plan, list, progress.next);
    progress.next += 1;
  }
  if (inner.frames.size > 0) return;
  if (inner.failure !== undefined) failStep(draft, step, inner.failure);
  else if (inner.done < list.size) cancelStep(draft, step);
  else {
    const values = Array.from({ length: list.size }, (_, i) => inner.results.get(i));
    completeStep(draft, step, toKeptList(step.plan.resultType, values, draft.plan.registry));
  }
}

function enterPass(draft: Draft, step: LiveStep, inner: Inner, plan: ForEachPlan, list: KeptList, index: number): void {
  const variables = new Map([
    [plan.as, elementAt(list, index).bytes],
    [plan.indexAs, toKeptInt(index)],
  ]);
  enterBlock(draft, step, inner, plan.body, makePassScope(step, index, variables));
}
