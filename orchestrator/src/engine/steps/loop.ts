import { code } from "../../../../proto/wire/status.ts";
import type { Draft } from "../draft.ts";
import { evaluateCondition, evaluateValue } from "../evaluate.ts";
import type { Evaluation, Place } from "../evaluate.ts";
import type { KeptValue } from "../expression/result.ts";
import { toFailure } from "../failure.ts";
import { toKeptList } from "../keptList.ts";
import { toKeptInt, toKeptMessage } from "../keptMessage.ts";
import { mayOpenStep, tooLarge, tooManySteps } from "../limits.ts";
import type { Failure, Frame, Inner, LiveStep, LoopProgress, Scope } from "../live.ts";
import { forgetPass, keepPass, makePassScope } from "../pass.ts";
import type { CarryPlan, LoopPlan } from "../plan.ts";
import { cancelStep, completeStep, failStep, holdPlace, releasePlace } from "../step.ts";
import { armTimer } from "../timers.ts";
import { enterBlock, takeEnded } from "./inner.ts";

/** Runs the body again and again, one pass after the other; only carries cross from one to the next. */
export function beginLoop(draft: Draft, step: LiveStep, inner: Inner, plan: LoopPlan): void {
  const place = { state: draft.state, scope: step.frame.scope, step: step.path };
  const carries = evaluateCarries(place, plan.carries, ({ init }) => init);
  if (carries.kind === "failed") {
    failStep(draft, step, carries.failure);
    return;
  }
  const progress: LoopProgress = {
    kind: "loop",
    passes: 0,
    carries: carries.value,
    collected: plan.body.result === undefined ? undefined : [],
    resultBytes: 0,
    last: undefined,
  };
  inner.progress = progress;
  next(draft, step, inner, plan, progress);
}

/** A pass is over: its carries are computed, and whether another one follows. */
export function continueLoop(draft: Draft, step: LiveStep, inner: Inner, plan: LoopPlan): void {
  const { progress } = inner;
  const [frame] = takeEnded(inner);
  if (progress?.kind !== "loop" || frame === undefined) return;
  if (inner.failure === undefined && frame.state === "done" && !inner.isStopping) {
    endPass(draft, step, inner, plan, progress, frame);
    return;
  }
  keepPass(frame.scope);
  if (inner.failure === undefined) cancelStep(draft, step);
  else failStep(draft, step, inner.failure);
}

/** The pause between two passes is over. */
export function resumeLoop(draft: Draft, step: LiveStep, inner: Inner, plan: LoopPlan): void {
  const { progress } = inner;
  releasePlace(draft, step);
  if (progress?.kind === "loop") enterPass(draft, step, inner, plan, progress, makeScope(step, plan, progress));
}

function endPass(
  draft: Draft,
  step: LiveStep,
  inner: Inner,
  plan: LoopPlan,
  progress: LoopProgress,
  { result, scope }: Frame,
): void {
  const { state } = draft;
  const place = { state, scope, step: step.path };
  progress.last = scope;
  inner.results.clear();
  if (result !== undefined) {
    progress.collected?.push(result);
    progress.resultBytes += result.bytes.length;
  }
  const carries = evaluateCarries(place, plan.carries, (carry) => carry.next);
  if (carries.kind === "failed") {
    end(draft, step, progress, carries.failure);
    return;
  }
  progress.carries = carries.value;
  const ends = plan.until === undefined ? no : evaluateCondition(place, plan.until);
  const large = tooLarge(state, step.path, "the collected list", progress.resultBytes);
  if (ends.kind === "failed" || large !== undefined) {
    end(draft, step, progress, ends.kind === "failed" ? ends.failure : large);
  } else if (ends.value) end(draft, step, progress, undefined, toResult(draft, step, progress));
  else next(draft, step, inner, plan, progress);
}

const no: Evaluation<boolean> = { kind: "value", value: false };

/** Another pass begins, after the pause, unless `while` or the limit says no. A loop with neither test makes all its passes. */
function next(draft: Draft, step: LiveStep, inner: Inner, plan: LoopPlan, progress: LoopProgress): void {
  const { state } = draft;
  const { runId } = state;
  const scope = makeScope(step, plan, progress);
  if (plan.while !== undefined) {
    const goesOn = evaluateCondition({ state, scope, step: step.path }, plan.while);
    if (goesOn.kind === "failed") {
      end(draft, step, progress, goesOn.failure);
      return;
    }
    if (!goesOn.value) {
      end(draft, step, progress, undefined, toResult(draft, step, progress));
      return;
    }
  }
  if (progress.passes >= plan.iterationsMax) {
    const isCounted = plan.while === undefined && plan.until === undefined;
    const message = `the loop is not over after ${plan.iterationsMax} passes, the most that it may make`;
    const failure = toFailure(runId, step.path, code.RESOURCE_EXHAUSTED, "LOOP_LIMIT", message);
    if (isCounted) end(draft, step, progress, undefined, toResult(draft, step, progress));
    else end(draft, step, progress, failure);
  } else if (progress.passes > 0 && plan.pauseMs > 0) pause(draft, step, plan, progress);
  else enterPass(draft, step, inner, plan, progress, scope);
}

function pause(draft: Draft, step: LiveStep, { pauseMs }: LoopPlan, progress: LoopProgress): void {
  const { state } = draft;
  if (!mayOpenStep(state, step)) {
    end(draft, step, progress, tooManySteps(state, step.path));
    return;
  }
  holdPlace(draft, step);
  step.state = { kind: "waiting", timer: armTimer(draft, state.nowMs + pauseMs, { kind: "pass", step }) };
}

function enterPass(
  draft: Draft,
  step: LiveStep,
  inner: Inner,
  plan: LoopPlan,
  progress: LoopProgress,
  scope: Scope,
): void {
  if (progress.last !== undefined) forgetPass(draft, progress.last);
  progress.last = undefined;
  progress.passes += 1;
  enterBlock(draft, step, inner, plan.body, scope);
}

/** The loop is over; its last pass stays. */
function end(
  draft: Draft,
  step: LiveStep,
  progress: LoopProgress,
  failure: Failure | undefined,
  result?: KeptValue,
): void {
  if (progress.last !== undefined) keepPass(progress.last);
  progress.last = undefined;
  if (failure === undefined) completeStep(draft, step, result);
  else failStep(draft, step, failure);
}

function makeScope(step: LiveStep, { carries }: LoopPlan, progress: LoopProgress): Scope {
  const variables = new Map([["iteration", toKeptInt(progress.passes)]]);
  for (const [i, { name }] of carries.entries()) {
    const value = progress.carries[i];
    if (value !== undefined) variables.set(name, value.bytes);
  }
  return makePassScope(step, progress.passes, variables);
}

function evaluateCarries(
  place: Place,
  carries: readonly CarryPlan[],
  expressionOf: (carry: CarryPlan) => CarryPlan["init"],
): Evaluation<readonly KeptValue[]> {
  const values: KeptValue[] = [];
  for (const carry of carries) {
    const evaluated = evaluateValue(place, expressionOf(carry));
    if (evaluated.kind === "failed") return evaluated;
    values.push({ type: carry.type, bytes: evaluated.value.bytes });
  }
  return { kind: "value", value: values };
}

function toResult(draft: Draft, step: LiveStep, { collected, carries }: LoopProgress): KeptValue | undefined {
  const { resultType } = step.plan;
  const { registry } = draft.plan;
  return collected === undefined
    ? toKeptMessage(resultType, carries, registry)
    : toKeptList(resultType, collected, registry);
}
