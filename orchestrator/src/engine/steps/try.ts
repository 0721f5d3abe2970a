import type { Draft } from "../draft.ts";
import { matchCatch, toCaughtError } from "../caught.ts";
import { evaluateCondition } from "../evaluate.ts";
import type { Failure, Frame, Inner, LiveStep, Scope, TryProgress } from "../live.ts";
import type { CatchPlan, TryPlan } from "../plan.ts";
import { cancelStep, completeStep, failStep, registerOf } from "../step.ts";
import { enterBlock, takeEnded } from "./inner.ts";

/** Runs the body; its failure is handed to the first catch that matches, and `finally` comes after both. */
export function beginTry(draft: Draft, step: LiveStep, inner: Inner, plan: TryPlan): void {
  inner.progress = { kind: "try", stage: "body", failure: undefined, result: undefined };
  enterBlock(draft, step, inner, plan.body);
}

/** A block of it is over. One that is given up enters nothing more: what it did is left to compensation. */
export function continueTry(draft: Draft, step: LiveStep, inner: Inner, plan: TryPlan): void {
  const { progress } = inner;
  const [frame] = takeEnded(inner);
  if (progress?.kind !== "try" || frame === undefined) return;
  if (inner.isStopping) {
    if (frame.failure === undefined) cancelStep(draft, step);
    else failStep(draft, step, frame.failure);
    return;
  }
  inner.failure = undefined;
  switch (progress.stage) {
    case "body":
      if (frame.failure === undefined) leave(draft, step, inner, plan, progress, frame);
      else catchFailure(draft, step, inner, plan, progress, frame, frame.failure);
      return;
    case "catch":
      leave(draft, step, inner, plan, progress, frame);
      return;
    case "finally":
      if (frame.failure !== undefined) progress.failure = frame.failure;
      finish(draft, step, progress);
      return;
  }
}

function catchFailure(
  draft: Draft,
  step: LiveStep,
  inner: Inner,
  plan: TryPlan,
  progress: TryProgress,
  frame: Frame,
  failure: Failure,
): void {
  for (const it of plan.catches) {
    const scope = matchScope(draft, step, it, failure);
    if (scope === undefined) continue;
    const evaluated =
      it.when === undefined ? yes : evaluateCondition({ state: draft.state, scope, step: step.path }, it.when);
    if (evaluated.kind === "failed") {
      progress.failure = evaluated.failure;
      enterFinally(draft, step, inner, plan, progress);
      return;
    }
    if (!evaluated.value) continue;
    progress.stage = "catch";
    enterBlock(draft, step, inner, it.block, scope);
    return;
  }
  leave(draft, step, inner, plan, progress, frame);
}

const yes = { kind: "value", value: true } as const;

/** What a catch sees: what the try sees, and `error`. Undefined when the failure is not one of its. */
function matchScope(draft: Draft, step: LiveStep, plan: CatchPlan, failure: Failure): Scope | undefined {
  const match = matchCatch(plan, failure);
  if (match === undefined) return undefined;
  const inDoubt = registerOf(draft.state, step.phase).get(failure.step)?.maybeExecuted ?? false;
  const { scope } = step.frame;
  return {
    parent: scope,
    prefix: scope.prefix,
    variables: new Map([["error", toCaughtError(failure, match, inDoubt)]]),
    steps: scope.steps,
    sharesSteps: true,
    caught: failure,
    begun: scope.begun,
  };
}

/** The body or a catch has decided how the try ends. */
function leave(
  draft: Draft,
  step: LiveStep,
  inner: Inner,
  plan: TryPlan,
  progress: TryProgress,
  { failure, result }: Frame,
): void {
  progress.failure = failure;
  progress.result = result;
  enterFinally(draft, step, inner, plan, progress);
}

function enterFinally(draft: Draft, step: LiveStep, inner: Inner, plan: TryPlan, progress: TryProgress): void {
  progress.stage = "finally";
  if (plan.finally === undefined) finish(draft, step, progress);
  else enterBlock(draft, step, inner, plan.finally);
}

function finish(draft: Draft, step: LiveStep, { failure, result }: TryProgress): void {
  if (failure === undefined) completeStep(draft, step, result);
  else failStep(draft, step, failure);
}
