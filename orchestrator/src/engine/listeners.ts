import type { Draft } from "./draft.ts";
import type { LiveStep } from "./live.ts";
import { cancelTimer } from "./timers.ts";

/** The step waits for this signal now, behind those that wait for it already. */
export function listenFor({ state }: Draft, step: LiveStep, name: string): void {
  const waiting = state.listeners.get(name);
  if (waiting === undefined) state.listeners.set(name, new Set([step]));
  else waiting.add(step);
}

/** The step waits for nobody any more. */
export function stopWaiting(draft: Draft, step: LiveStep): void {
  const { state, plan } = step;
  if (state.kind !== "listening" && state.kind !== "asking") return;
  if (state.timer !== undefined) cancelTimer(draft, state.timer);
  draft.state.approvals.delete(step);
  if (plan.action.kind !== "signal") return;
  const { name } = plan.action.signal;
  const waiting = draft.state.listeners.get(name);
  waiting?.delete(step);
  if (waiting?.size === 0) draft.state.listeners.delete(name);
}
