import { toHex } from "../../../proto/wire/runId.ts";
import type { LiveStep } from "../../../orchestrator/src/engine/live.ts";
import type { Refolded } from "./run.ts";

/** Runs that go on in place of others: there is one for each that was asked for, and it takes over what the other one came to. */
export function checkRerun(runs: ReadonlyMap<string, Refolded>, run: Refolded, tell: (rule: string) => void): void {
  const { rerun } = run.state;
  if (rerun !== undefined && !runs.has(toHex(rerun.runId)))
    tell("no run goes on in place of it, though that was asked for");
  const from = run.state.started?.rerun;
  if (from === undefined) return;
  const before = runs.get(toHex(from.runId));
  if (before === undefined) return tell("it goes on in place of a run that there is not");
  if (before.state.rerun === undefined || toHex(before.state.rerun.runId) !== run.runId)
    tell("it goes on in place of a run that another one goes on for");
  if (before.state.rerun?.step !== from.step) tell("it begins at another step than the one asked for");
  checkTaken(before, run, from.step, tell);
}

/** Nothing of what was taken over is done again, and all of it is as it was. */
function checkTaken(
  before: Refolded,
  { plan, state, transitions }: Refolded,
  from: string,
  tell: (rule: string) => void,
) {
  const at = plan.body.steps.findIndex(({ name }) => name === from);
  if (at < 0) tell("it begins at a step that there is not");
  const taken = new Map(state.started?.rerun?.taken.map((one) => [one.index, one]));
  for (const { name, index, compensate } of plan.body.steps.slice(0, at)) {
    if (transitions.some((it) => it.kind === "stepBegan" && it.address.step === name && it.address.phase === 0))
      tell(`${name} was taken over, and began again`);
    const was = before.state.steps.get(name);
    const is = state.steps.get(name);
    if (is?.state.kind !== was?.state.kind) tell(`${name} was taken over as another than it was`);
    const isOwed = compensate !== undefined && was?.state.kind === "completed" && !before.state.compensations.has(name);
    if (isOwed && taken.get(index)?.owed !== true) tell(`${name} was taken over, and nobody would undo it`);
    if (textOf(is) !== textOf(was)) tell(`the result of ${name} was taken over as another than it was`);
  }
}

function textOf(step: LiveStep | undefined): string {
  return new TextDecoder().decode(step?.result?.bytes);
}
