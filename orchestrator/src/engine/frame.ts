import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Draft } from "./draft.ts";
import { evaluateCondition, evaluateValue } from "./evaluate.ts";
import type { Action, StepPlan } from "./plan.ts";
import type { Failure, Frame, FrameState, Inner, LiveCall, LiveStep } from "./state.ts";
import { addressOf, failStep, isOpen, makeStep, parentOf, skipStep } from "./step.ts";
import { beginCall, makeCall } from "./steps/call.ts";
import { beginFail } from "./steps/fail.ts";
import { makeInner } from "./steps/inner.ts";
import { beginLet } from "./steps/let.ts";
import { beginParallel } from "./steps/parallel.ts";
import { beginReturn } from "./steps/return.ts";
import { beginSwitch } from "./steps/switch.ts";
import { beginWait, beginWaitUntil } from "./steps/wait.ts";

/** Moves a frame on from where it stands until a step is open, or the frame is over. */
export function runFrame(draft: Draft, frame: Frame): void {
  while (frame.state === "going" || frame.state === "stopping") {
    const { current } = frame;
    if (current !== undefined) {
      if (isOpen(current)) return;
      frame.current = undefined;
      if (current.state.kind === "failed" && frame.state === "going") {
        endFrame(draft, frame, "failed", current.state.failure);
        return;
      }
    }
    if (frame.state === "stopping") {
      endFrame(draft, frame, "stopped", undefined);
      return;
    }
    const plan = frame.block.steps[frame.position];
    if (plan === undefined) {
      finishFrame(draft, frame);
      return;
    }
    frame.position += 1;
    beginStep(draft, frame, plan);
  }
}

/** All steps are over: the block's value is evaluated. */
function finishFrame(draft: Draft, frame: Frame): void {
  const { result } = frame.block;
  if (result !== undefined) {
    const step = frame.owner?.path ?? "";
    const evaluated = evaluateValue({ state: draft.state, scope: frame.scope, step }, result);
    if (evaluated.kind === "failed") {
      endFrame(draft, frame, "failed", evaluated.failure);
      return;
    }
    frame.result = evaluated.value;
  }
  endFrame(draft, frame, "done", undefined);
}

function endFrame(draft: Draft, frame: Frame, end: FrameState, failure: Failure | undefined): void {
  frame.state = end;
  const { owner } = frame;
  if (owner?.inner === undefined) {
    draft.state.bodyFailure = failure;
    return;
  }
  owner.inner.open -= 1;
  owner.inner.failure ??= failure;
  draft.state.worklist.push(owner);
}

function beginStep(draft: Draft, frame: Frame, plan: StepPlan): void {
  const { state } = draft;
  const { action } = plan;
  const step = makeStep(draft, frame, plan, Phase.FORWARD, { call: callOf(action), inner: innerOf(action) });
  frame.current = step;
  state.steps.set(step.path, step);
  if (plan.id !== "") frame.scope.steps.set(plan.id, step);
  if (plan.when !== undefined) {
    const evaluated = evaluateCondition({ state, scope: frame.scope, step: step.path }, plan.when);
    if (evaluated.kind === "value" && !evaluated.value) {
      skipStep(draft, step);
      return;
    }
    tellBegan(draft, step);
    if (evaluated.kind === "failed") {
      failStep(draft, step, evaluated.failure);
      return;
    }
  } else tellBegan(draft, step);
  act(draft, step, action);
}

function tellBegan(draft: Draft, step: LiveStep): void {
  draft.transitions.push({
    kind: "stepBegan",
    address: addressOf(step),
    plan: step.plan,
    parent: parentOf(step),
    atMs: step.startedMs,
  });
}

function callOf(action: Action): LiveCall | undefined {
  return action.kind === "call" ? makeCall(action.call, undefined) : undefined;
}

function innerOf(action: Action): Inner | undefined {
  return action.kind === "switch" || action.kind === "parallel" ? makeInner() : undefined;
}

function act(draft: Draft, step: LiveStep, action: Action): void {
  switch (action.kind) {
    case "call":
      if (step.call !== undefined) beginCall(draft, step, step.call);
      return;
    case "switch":
      if (step.inner !== undefined) beginSwitch(draft, step, step.inner, action.cases, action.otherwise);
      return;
    case "parallel":
      if (step.inner !== undefined) beginParallel(draft, step, step.inner, action.branches);
      return;
    case "wait":
      beginWait(draft, step, action.forMs);
      return;
    case "waitUntil":
      beginWaitUntil(draft, step, action.until);
      return;
    case "let":
      beginLet(draft, step, action.value);
      return;
    case "fail":
      beginFail(draft, step, action.fail);
      return;
    case "return":
      beginReturn(draft, step, action.value);
      return;
  }
}
