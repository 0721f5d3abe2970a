import type { Draft } from "./draft.ts";
import { evaluateCondition, evaluateValue } from "./evaluate.ts";
import type { Action, StepPlan } from "./plan.ts";
import type { Failure, Frame, FrameState, Inner, LiveCall, LiveStep } from "./live.ts";
import { openUndoScope } from "./live.ts";
import { isLong } from "./rest.ts";
import { addressOf, failStep, isOpen, makeStep, parentOf, registerOf, skipStep } from "./step.ts";
import { beginCall, makeCall } from "./steps/call.ts";
import { beginCompensateNow } from "./steps/compensateNow.ts";
import { beginFail } from "./steps/fail.ts";
import { beginForEach } from "./steps/forEach.ts";
import { makeInner, noteEnd } from "./steps/inner.ts";
import { beginLet } from "./steps/let.ts";
import { beginLoop } from "./steps/loop.ts";
import { beginParallel } from "./steps/parallel.ts";
import { beginReturn } from "./steps/return.ts";
import { beginSwitch } from "./steps/switch.ts";
import { beginApproval } from "./steps/approve.ts";
import { beginEmit } from "./steps/emit.ts";
import { beginChild } from "./steps/run.ts";
import { beginSignal } from "./steps/signal.ts";
import { beginYield } from "./steps/yield.ts";
import { queueStep } from "./lockStep.ts";
import { beginTry } from "./steps/try.ts";
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
    if (draft.state.hold !== undefined || isLong(draft)) {
      draft.state.parked.add(frame);
      return;
    }
    draft.stepsBegun += 1;
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
  frame.failure = failure;
  const { owner } = frame;
  if (owner?.inner === undefined) draft.state.bodyFailure = failure;
  else noteEnd(draft, owner, owner.inner, frame);
}

function beginStep(draft: Draft, frame: Frame, plan: StepPlan): void {
  const { state } = draft;
  const { action } = plan;
  const step = makeStep(draft, frame, plan, frame.phase, { call: callOf(frame, action), inner: innerOf(frame, plan) });
  frame.current = step;
  registerOf(state, frame.phase).set(step.path, step);
  frame.scope.begun?.push(step);
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
  if (plan.lock === undefined) act(draft, step, action);
  else queueStep(draft, step, plan.lock);
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

function callOf({ compensates }: Frame, action: Action): LiveCall | undefined {
  return action.kind === "call" ? makeCall(action.call, compensates) : undefined;
}

/** A try, and a step with a compensation of its own, keep by themselves what is to be undone inside. */
function innerOf({ undo, scope }: Frame, { action, compensate, name }: StepPlan): Inner | undefined {
  switch (action.kind) {
    case "try":
      return makeInner(openUndoScope(undo, scope.prefix + name, true));
    case "switch":
    case "parallel":
    case "forEach":
    case "loop":
    case "signal":
    case "approve":
      return makeInner(compensate === undefined ? undo : openUndoScope(undo, scope.prefix + name, false));
    case "call":
    case "wait":
    case "waitUntil":
    case "let":
    case "fail":
    case "return":
    case "compensateNow":
    case "run":
    case "emit":
    case "yield":
      return undefined;
  }
}

/** The step does what its kind does. */
export function act(draft: Draft, step: LiveStep, action: Action): void {
  switch (action.kind) {
    case "call":
      if (step.call !== undefined) beginCall(draft, step, step.call);
      return;
    case "switch":
      if (step.inner !== undefined) beginSwitch(draft, step, step.inner, action.cases, action.otherwise);
      return;
    case "parallel":
      if (step.inner !== undefined) beginParallel(draft, step, step.inner, action);
      return;
    case "forEach":
      if (step.inner !== undefined) beginForEach(draft, step, step.inner, action.forEach);
      return;
    case "loop":
      if (step.inner !== undefined) beginLoop(draft, step, step.inner, action.loop);
      return;
    case "try":
      if (step.inner !== undefined) beginTry(draft, step, step.inner, action.try);
      return;
    case "compensateNow":
      beginCompensateNow(draft, step);
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
    case "signal":
      beginSignal(draft, step, action.signal);
      return;
    case "approve":
      beginApproval(draft, step, action.approval);
      return;
    case "run":
      beginChild(draft, step, action.run);
      return;
    case "emit":
      beginEmit(draft, step, action.emit);
      return;
    case "yield":
      beginYield(draft, step, action.value);
      return;
  }
}
