import { fromBinary } from "@bufbuild/protobuf";
import type { StepEnded, Transition } from "../../../orchestrator/src/engine/transition.ts";
import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { ErrorInfo } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import type { RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { Plan_Order } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { errorDomain } from "../../../proto/wire/headers.ts";
import type { SimulationGround } from "../simulation/ground.ts";
import type { Played } from "./play.ts";

/** Reasons of failures that are the definition's own fault, whatever services answer. */
const ownFaults: ReadonlySet<string> = new Set(["EXPRESSION", "SUBJECT", "LOCK_NAME", "EMPTY_KEY"]);

/** What is wrong with a run, in sentences. */
export function judge(ground: SimulationGround, played: Played): readonly string[] {
  const { state } = played;
  if (state.ended === undefined) {
    const open = [...state.steps.values()].filter(({ endedMs }) => endedMs === 0).map(({ path }) => path);
    return [`it does not end: ${open.join(", ")} ${open.length === 1 ? "is" : "are"} open`];
  }
  return [...ownFailures(played), ...outputs(ground, played), ...undoing(ground, played)];
}

function ownFailures({ transitions, state }: Played): readonly string[] {
  const found = transitions.flatMap((one) => (one.kind === "stepEnded" ? ownFault(one.address.step, one.status) : []));
  // The run's own output, and what no step says.
  return [...new Set([...found, ...(found.length > 0 ? [] : ownFault(state.ended?.step ?? "", state.ended?.status))])];
}

function ownFault(step: string, status: RpcStatus | undefined): readonly string[] {
  const isOwn = status?.details.some(({ typeUrl, value }) => {
    if (!typeUrl.endsWith("/google.rpc.ErrorInfo")) return false;
    const { domain, reason } = ErrorInfo.decode(value);
    return domain === errorDomain && ownFaults.has(reason);
  });
  return isOwn === true ? [`${step === "" ? "the output" : step} fails by itself: ${status?.message ?? ""}`] : [];
}

function outputs({ plan, registry }: SimulationGround, { state }: Played): readonly string[] {
  if (state.ended?.state !== Run_State.COMPLETED) return [];
  const type = registry.getMessage(plan.plan.responseType);
  try {
    if (type !== undefined) fromBinary(type, state.ended.response);
    return [];
  } catch (error) {
    return [`the answer is no ${plan.plan.responseType}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

/** Whatever was done, or may have been, and can be undone is undone once, the last first. */
function undoing({ plan }: SimulationGround, played: Played): readonly string[] {
  const { transitions, state, run } = played;
  // A person does it.
  if (plan.plan.saga === Plan_Order.MANUAL) return [];
  const owed = owedOf(transitions);
  const handled = handledOf(transitions);
  const twice = handled.filter((path, index) => handled.indexOf(path) !== index);
  const found = twice.map((path) => `${path} is undone twice`);
  const usesNow = plan.steps.some(({ action }) => action.kind === "compensateNow");
  if (state.ended?.state === Run_State.COMPLETED)
    return usesNow ? found : [...found, ...handled.map((path) => `${path} is undone, and the run completed`)];
  for (const path of owed) if (!handled.includes(path)) found.push(`${path} was done and is not undone`);
  for (const path of handled) if (!owed.includes(path)) found.push(`${path} is undone and was not done`);
  const hasFailedUndo = [...played.case.fail.keys()].some((site) => site.startsWith("undo "));
  if (run.state === Run_State.COMPENSATION_FAILED && !hasFailedUndo) found.push("a compensation fails by itself");
  if (found.length > 0 || usesNow || plan.plan.saga === Plan_Order.PARALLEL) return found;
  const expected = owed.toReversed().join(", ");
  return handled.join(", ") === expected ? [] : [`undone were ${handled.join(", ")}, and not ${expected}`];
}

/** Paths of the steps that are owed an undoing, in the order in which they ended. */
function owedOf(transitions: readonly Transition[]): readonly string[] {
  const parents = new Map<string, string | undefined>();
  let owed: string[] = [];
  for (const one of transitions) {
    if (one.kind === "stepBegan" && one.address.phase === Phase.FORWARD)
      parents.set(one.address.step, one.parent?.step);
    if (one.kind !== "stepEnded" || !mayBeUndone(one)) continue;
    const path = one.address.step;
    // The compensation of a block undoes all that is inside.
    if (one.result === "completed") owed = owed.filter((inner) => !isInside(parents, inner, path));
    owed = [...owed.filter((other) => other !== path), path];
  }
  return owed;
}

function mayBeUndone({ address, plan, result, maybeExecuted }: StepEnded): boolean {
  if (address.phase !== Phase.FORWARD || plan.compensate === undefined) return false;
  return result === "completed" || maybeExecuted;
}

function isInside(parents: ReadonlyMap<string, string | undefined>, inner: string, outer: string): boolean {
  for (let at = parents.get(inner); at !== undefined; at = parents.get(at)) if (at === outer) return true;
  return false;
}

/** Paths of the steps whose compensations ended, skipped ones too, in the order in which they did. */
function handledOf(transitions: readonly Transition[]): readonly string[] {
  return transitions.flatMap((one) =>
    one.kind === "stepEnded" && one.address.phase === Phase.COMPENSATE && !one.address.step.includes("~undo/")
      ? one.address.step
      : [],
  );
}
