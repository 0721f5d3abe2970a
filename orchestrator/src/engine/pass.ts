import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Draft } from "./draft.ts";
import { registerOf } from "./step.ts";
import type { LiveStep, Scope } from "./live.ts";

/** What one pass over a step's body sees beside what the step sees: its own variables and its own steps. */
export function makePassScope(step: LiveStep, pass: number, variables: Map<string, Uint8Array>): Scope {
  return {
    parent: step.frame.scope,
    prefix: `${step.path}[${pass}]/`,
    variables,
    steps: new Map(),
    sharesSteps: false,
    caught: undefined,
    begun: [],
  };
}

/** Forgets the steps of a pass that is done, but for those that may have to be undone. */
export function forgetPass(draft: Draft, { begun, parent }: Scope): void {
  for (const step of begun ?? []) {
    if (mayMatter(step)) parent?.begun?.push(step);
    else registerOf(draft.state, step.phase).delete(step.path);
  }
}

/** The steps of a pass stay for as long as those around it do. */
export function keepPass({ begun, parent }: Scope): void {
  if (parent?.begun === undefined) return;
  for (const step of begun ?? []) parent.begun.push(step);
}

/** A success that comes late still finds it, or it will be undone. */
function mayMatter({ phase, plan, state }: LiveStep): boolean {
  return phase === Phase.FORWARD && plan.compensate !== undefined && state.kind !== "skipped";
}
