import type { AttemptId } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Draft } from "../draft.ts";
import type { KeptValue } from "../expression/result.ts";
import type { Frame, Inner, LiveStep, Scope, UndoScope } from "../live.ts";
import type { BlockPlan } from "../plan.ts";
import { cancelStep, completeStep, failStep } from "../step.ts";
import { stopFrame } from "../stop.ts";

/** The blocks of a step that has not entered any; `undo` is where what they do is noted for undoing. */
export function makeInner(undo: UndoScope): Inner {
  return {
    frames: new Map(),
    entered: 0,
    done: 0,
    failed: 0,
    results: new Map(),
    ended: [],
    failure: undefined,
    isStopping: false,
    undo,
    progress: undefined,
  };
}

/** Enters a block; it goes on from the worklist. `scope`: what it sees, unless that is what the step itself sees. */
export function enterBlock(
  draft: Draft,
  step: LiveStep,
  inner: Inner,
  block: BlockPlan,
  scope: Scope = step.frame.scope,
  compensates: AttemptId | undefined = step.frame.compensates,
): void {
  step.state = { kind: "inside" };
  const frame: Frame = {
    kind: "frame",
    block,
    owner: step,
    slot: inner.entered,
    scope,
    phase: step.phase,
    undo: inner.undo,
    compensates,
    position: 0,
    current: undefined,
    state: "going",
    result: undefined,
    failure: undefined,
  };
  inner.entered += 1;
  inner.frames.set(frame.slot, frame);
  draft.state.worklist.push(frame);
}

/** A frame is over. Its step goes on from the worklist. */
export function noteEnd(draft: Draft, step: LiveStep, inner: Inner, frame: Frame): void {
  inner.frames.delete(frame.slot);
  inner.ended.push(frame);
  if (frame.state === "done") inner.done += 1;
  if (frame.state === "failed") inner.failed += 1;
  if (frame.result !== undefined) inner.results.set(frame.slot, frame.result);
  inner.failure ??= frame.failure;
  draft.state.worklist.push(step);
}

/** Frames that have ended since the step last went on. */
export function takeEnded(inner: Inner): readonly Frame[] {
  const { ended } = inner;
  inner.ended = [];
  return ended;
}

/** Nothing more is entered; what is open is given up and awaited. */
export function giveUpFrames(draft: Draft, inner: Inner): void {
  if (inner.isStopping) return;
  inner.isStopping = true;
  for (const frame of inner.frames.values()) stopFrame(draft, frame);
}

/** The step's one block is over. */
export function continueBlock(draft: Draft, step: LiveStep, inner: Inner): void {
  takeEnded(inner);
  if (inner.frames.size > 0) return;
  endInner(draft, step, inner, inner.results.get(0));
}

/** All blocks of the step are over. */
export function endInner(draft: Draft, step: LiveStep, inner: Inner, result: KeptValue | undefined): void {
  if (inner.failure !== undefined) failStep(draft, step, inner.failure);
  else if (inner.done < inner.entered) cancelStep(draft, step);
  else completeStep(draft, step, result);
}
