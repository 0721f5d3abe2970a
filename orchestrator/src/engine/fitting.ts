import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { FittingAction_Kind as Kind } from "../../../proto/gen/sidestep/v1/run.ts";
import type { FittingAction } from "../../../proto/gen/sidestep/v1/run.ts";
import { canHold } from "./hold.ts";
import type { LiveStep } from "./live.ts";
import type { LoadedPlan } from "./plan.ts";
import { rerunSteps } from "./rerun.ts";
import { retryNowRevision } from "./revision.ts";
import type { RunState } from "./state.ts";
import { canCancel, canTerminate } from "./verdict.ts";

/** What people can do with a run, in the order in which it is told. */
const kinds = [
  Kind.RETRY,
  Kind.SKIP,
  Kind.PATCH,
  Kind.FAIL,
  Kind.COMPENSATE,
  Kind.DECIDE,
  Kind.SIGNAL,
  Kind.RESUME,
  Kind.PAUSE,
  Kind.CANCEL,
  Kind.TERMINATE,
  Kind.RERUN,
  Kind.DELETE,
] as const;
type ActionKind = (typeof kinds)[number];

/** So many steps are told of one action. */
const stepsMax = 100;

/**
 * What people can do with the run as it stands: a request is taken by the fold if its action is among them, for a step that is named there, and
 * what comes with it is right. The cost grows with open incidents, timers and approvals.
 */
export function fittingActions(plan: LoadedPlan, state: RunState): readonly FittingAction[] {
  return kinds.flatMap((kind) => {
    const fits = fitOf(kind, plan, state);
    if (fits === false || (fits !== true && fits.length === 0)) return [];
    return [{ kind, steps: fits === true ? [] : [...new Set(fits)].slice(0, stepsMax) }];
  });
}

/** Whether it fits the run, or the paths of the steps that it fits. */
function fitOf(kind: ActionKind, plan: LoadedPlan, state: RunState): boolean | readonly string[] {
  switch (kind) {
    case Kind.CANCEL:
      return canCancel(state);
    case Kind.TERMINATE:
      return canTerminate(state);
    case Kind.PAUSE:
      return canHold(state);
    case Kind.RESUME:
      return state.hold !== undefined;
    case Kind.RETRY:
      return pathsOf([...state.incidents, ...backingOff(state)]);
    case Kind.FAIL:
    case Kind.SKIP:
      return pathsOf([...state.incidents]);
    case Kind.PATCH:
      return pathsOf([...state.incidents].filter(({ call }) => call !== undefined));
    case Kind.COMPENSATE:
      return state.verdict === undefined
        ? pathsOf([...state.incidents].filter(({ phase }) => phase !== Phase.COMPENSATE))
        : [];
    case Kind.DECIDE:
      return pathsOf([...state.approvals]);
    case Kind.RERUN:
      return rerunSteps(plan, state);
    case Kind.DELETE:
      return state.phase === "ended" && state.deleting === undefined;
    case Kind.SIGNAL:
      return plan.signals.length > 0 && takesSignals(state);
  }
}

function backingOff({ timers, started }: RunState): readonly LiveStep[] {
  if ((started?.engineRevision ?? 0) < retryNowRevision) return [];
  return [...timers.values()].flatMap(({ purpose }) =>
    purpose.kind === "backoff" && purpose.step.phase !== Phase.VERIFY ? [purpose.step] : [],
  );
}

function takesSignals({ phase }: RunState): boolean {
  switch (phase) {
    case "forward":
    case "stopping":
    case "compensating":
    case "ending":
      return true;
    case "unstarted":
    case "void":
    case "ended":
      return false;
  }
}

function pathsOf(steps: readonly LiveStep[]): readonly string[] {
  return steps.map(({ path }) => path);
}
