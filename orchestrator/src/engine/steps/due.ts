import { code } from "../../../../proto/wire/status.ts";
import type { Draft } from "../draft.ts";
import { evaluateTime } from "../evaluate.ts";
import type { Evaluation } from "../evaluate.ts";
import { toFailure } from "../failure.ts";
import { stopWaiting } from "../listeners.ts";
import type { BlockPlan, DuePlan } from "../plan.ts";
import type { LiveStep, LiveTimer, Scope } from "../live.ts";
import { failStep, releasePlace } from "../step.ts";
import { armTimer } from "../timers.ts";
import { enterBlock } from "./inner.ts";

/** Until when the step waits for somebody, in log time: whichever of timeout and deadline comes first. Infinity: for ever. */
export function evaluateDue(draft: Draft, step: LiveStep, { timeoutMs, deadline }: DuePlan): Evaluation<number> {
  const { state } = draft;
  const byTimeout = timeoutMs === undefined ? Infinity : state.nowMs + timeoutMs;
  if (deadline === undefined) return { kind: "value", value: byTimeout };
  const evaluated = evaluateTime({ state, scope: step.frame.scope, step: step.path }, deadline);
  return evaluated.kind === "failed" ? evaluated : { kind: "value", value: Math.min(byTimeout, evaluated.value) };
}

/** The timer of what evaluateDue found. */
export function armDue(draft: Draft, step: LiveStep, dueMs: number): LiveTimer | undefined {
  return dueMs === Infinity ? undefined : armTimer(draft, dueMs, { kind: "due", step });
}

/** Nobody came in time: the step's block for that runs, or the step fails. */
export function passDue(draft: Draft, step: LiveStep): void {
  const { action } = step.plan;
  if (action.kind === "signal") {
    const { onTimeout, name } = action.signal;
    if (onTimeout !== undefined) enterInstead(draft, step, onTimeout, step.frame.scope);
    else failDue(draft, step, "SIGNAL_TIMEOUT", `no signal ${name} that the step takes came in time`);
  } else if (action.kind === "approve") {
    const { onTimeout } = action.approval;
    if (onTimeout !== undefined) enterInstead(draft, step, onTimeout, step.frame.scope);
    else failDue(draft, step, "APPROVAL_TIMEOUT", "nobody decided in time");
  }
}

/** Runs a block of the step in place of what it waited for. */
export function enterInstead(draft: Draft, step: LiveStep, block: BlockPlan, scope: Scope): void {
  if (step.inner === undefined) return;
  stopWaiting(draft, step);
  releasePlace(draft, step);
  enterBlock(draft, step, step.inner, block, scope);
}

function failDue(draft: Draft, step: LiveStep, reason: "SIGNAL_TIMEOUT" | "APPROVAL_TIMEOUT", message: string): void {
  failStep(draft, step, toFailure(draft.state.runId, step.path, code.DEADLINE_EXCEEDED, reason, message));
}
