import { Plan_Order } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { compensate } from "./compensation.ts";
import type { Draft } from "./draft.ts";
import { toRunEnded } from "./end.ts";
import { evaluatePassing } from "./evaluate.ts";
import { act, runFrame } from "./frame.ts";
import type { Frame, Inner, LiveStep } from "./live.ts";
import type { Action } from "./plan.ts";
import { requestAgain } from "./lockStep.ts";
import { beginCall } from "./steps/call.ts";
import { continueCompensateNow } from "./steps/compensateNow.ts";
import { continueForEach } from "./steps/forEach.ts";
import { continueBlock } from "./steps/inner.ts";
import { continueLoop, resumeLoop } from "./steps/loop.ts";
import { continueParallel } from "./steps/parallel.ts";
import { continueTry } from "./steps/try.ts";
import { emitAgain } from "./steps/emit.ts";
import { startAgain } from "./steps/run.ts";
import { continueVerification } from "./steps/verify.ts";
import { rest } from "./rest.ts";
import { failRun } from "./stop.ts";
import { completeRun } from "./verdict.ts";

/** Moves everything on that the fold has set free, and asks for what should happen next. */
export function decide(draft: Draft): void {
  const { worklist } = draft.state;
  do {
    for (let i = 0; i < worklist.length; i++) {
      const next = worklist[i];
      if (next?.kind === "frame") runFrame(draft, next);
      else if (next !== undefined) continueStep(draft, next);
      if (i < worklistMax) continue;
      worklist.splice(0, i + 1);
      i = -1;
    }
    worklist.length = 0;
    settle(draft);
  } while (worklist.length > 0);
  rest(draft);
}

/** So much of the worklist is worked off before it is forgotten. */
const worklistMax = 1_000;

function continueStep(draft: Draft, step: LiveStep): void {
  const { state, call, inner } = step;
  if (state.kind === "ready") continueReady(draft, step);
  else if (state.kind === "undoing") continueCompensateNow(draft, step, state.undoing);
  else if (state.kind === "verifying" && call !== undefined)
    continueVerification(draft, step, call, state.status, state.by);
  else if (inner !== undefined && state.kind === "inside") {
    if (step.undoing === undefined) continueInside(draft, step, inner, step.plan.action);
    else continueBlock(draft, step, inner);
  }
}

/** A step that may begin, or go on after a pause, an incident or a grant: unless the run is held. */
function continueReady(draft: Draft, step: LiveStep): void {
  const { call, inner, outside } = step;
  const { action } = step.plan;
  if (draft.state.hold !== undefined) draft.state.parked.add(step);
  else if (outside?.lock?.isGranted === false) requestAgain(draft, step, outside.lock);
  else if (call !== undefined) beginCall(draft, step, call);
  else if (outside?.child !== undefined) startAgain(draft, step, outside.child);
  else if (outside?.emit !== undefined) emitAgain(draft, step, outside.emit);
  else if (action.kind === "loop" && inner?.progress !== undefined) resumeLoop(draft, step, inner, action.loop);
  else act(draft, step, action);
}

function continueInside(draft: Draft, step: LiveStep, inner: Inner, action: Action): void {
  switch (action.kind) {
    case "switch":
    case "signal":
    case "approve":
      continueBlock(draft, step, inner);
      return;
    case "parallel":
      continueParallel(draft, step, inner, action);
      return;
    case "forEach":
      continueForEach(draft, step, inner, action.forEach);
      return;
    case "loop":
      continueLoop(draft, step, inner, action.loop);
      return;
    case "try":
      continueTry(draft, step, inner, action.try);
      return;
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
      return;
  }
}

/** Takes the run from phase to phase as far as it can go. */
function settle(draft: Draft): void {
  const { state } = draft;
  for (;;) {
    switch (state.phase) {
      case "unstarted":
      case "void":
      case "ended":
        return;
      case "forward":
        if (state.body === undefined || !isOver(state.body)) return;
        finishForward(draft, state.body);
        break;
      case "stopping":
        if (!hasStopped(draft)) return;
        leaveStopping(draft);
        break;
      case "compensating":
        if (!compensate(draft) || state.worklist.length > 0) return;
        state.phase = "ending";
        break;
      case "ending":
        askForEnd(draft);
        return;
    }
  }
}

function isOver(frame: Frame): boolean {
  return frame.state !== "going" && frame.state !== "stopping";
}

/** The body is over by itself: the run completes, or it fails. */
function finishForward(draft: Draft, body: Frame): void {
  const { plan, state } = draft;
  if (state.bodyFailure !== undefined) {
    failRun(draft, state.bodyFailure);
    return;
  }
  if (plan.output !== undefined) {
    const evaluated = evaluatePassing({ state, scope: body.scope, step: "" }, plan.output);
    if (evaluated.kind === "failed") failRun(draft, evaluated.failure);
    else completeRun(draft, evaluated.value, "");
    return;
  }
  const last = plan.plan.outputStep === undefined ? undefined : plan.steps[plan.plan.outputStep];
  const result = last === undefined ? undefined : state.steps.get(last.name)?.result;
  completeRun(draft, result, "");
}

/**
 * Is nothing forward in flight any more? A terminated run does not care. A completed one has nothing to undo: attempts that others have
 * overtaken don't hold its answer back.
 */
function hasStopped({ state }: Draft): boolean {
  if (state.verdict?.kind === "terminated") return true;
  if (state.body === undefined || !isOver(state.body)) return false;
  return state.verdict?.kind === "completed" || state.forwardAttempts === 0;
}

function leaveStopping({ plan, state, transitions }: Draft): void {
  const isUndone = state.verdict?.kind === "failed" || state.verdict?.kind === "cancelled";
  state.phase = isUndone ? "compensating" : "ending";
  if (!isUndone || state.undo.steps.length === 0 || plan.plan.saga === Plan_Order.MANUAL) return;
  transitions.push({ kind: "compensationBegan", steps: state.undo.steps.length, atMs: state.nowMs });
}

/** Asks for RunEnded, again when another event has come since. */
function askForEnd(draft: Draft): void {
  const { state } = draft;
  if (state.verdict === undefined || state.ending?.expectedEvent === state.lastEvent) return;
  state.ending = {
    kind: "endRun",
    issuedAt: draft.sequence,
    expectedEvent: state.lastEvent,
    ended: state.ending?.ended ?? toRunEnded(state, state.verdict, draft.plan.plan),
  };
  draft.commands.push(state.ending);
}
