import { fittingActions } from "../../../orchestrator/src/engine/fitting.ts";
import type { LoadedPlan } from "../../../orchestrator/src/engine/plan.ts";
import type { LogRecord } from "../../../orchestrator/src/engine/record.ts";
import type { RunState } from "../../../orchestrator/src/engine/state.ts";
import type { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { FittingAction_Kind as Kind } from "../../../proto/gen/sidestep/v1/run.ts";

/**
 * What a run said, before a person's request came, of whether that would fit; the answer takes whether the fold ignored it, and says what is wrong.
 * Undefined: the record is no request.
 */
export function noteFit(
  plan: LoadedPlan,
  state: RunState,
  { fact }: LogRecord,
): ((isIgnored: boolean) => string | undefined) | undefined {
  const asked = fact.kind === "event" ? askedBy(fact.event.kind) : undefined;
  if (asked === undefined) return undefined;
  const { kind, step } = asked;
  const found = fittingActions(plan, state).find((one) => one.kind === kind);
  const fits = found !== undefined && (step === undefined || step === "" || found.steps.includes(step));
  return (isIgnored) => {
    if (!isIgnored && !fits) return `an action of kind ${kind} was taken that does not fit (${step ?? "the run"})`;
    if (isIgnored && fits && kind === Kind.RERUN) return `a rerun from ${step ?? ""} was not taken that fits`;
    // What is of a step may be of its other phase, a double, or one of several.
    if (isIgnored && fits && step === undefined) return `an action of kind ${kind} was not taken that fits the run`;
    return undefined;
  };
}

function askedBy(event: Event["kind"]): { readonly kind: Kind; readonly step: string | undefined } | undefined {
  switch (event?.$case) {
    case "cancelRequested":
      return { kind: Kind.CANCEL, step: undefined };
    case "terminateRequested":
      return { kind: Kind.TERMINATE, step: undefined };
    case "retryRequested":
      return { kind: Kind.RETRY, step: event.value.step };
    case "failRequested":
      return { kind: Kind.FAIL, step: event.value.step };
    case "skipRequested":
      return { kind: Kind.SKIP, step: event.value.step };
    case "patchRequested":
      return { kind: Kind.PATCH, step: event.value.step };
    case "compensateRequested":
      return { kind: Kind.COMPENSATE, step: event.value.step };
    case "decisionMade":
      return { kind: Kind.DECIDE, step: event.value.step };
    case "deleteRequested":
      return { kind: Kind.DELETE, step: undefined };
    case "rerunRequested":
      return { kind: Kind.RERUN, step: event.value.step };
    // A double of these, or a signal too many, is refused although it fits.
    case "signalReceived":
      return { kind: Kind.SIGNAL, step: "" };
    case "pauseRequested":
      return { kind: Kind.PAUSE, step: "" };
    case "resumeRequested":
      return { kind: Kind.RESUME, step: "" };
    default:
      return undefined;
  }
}
