import type { Bindings } from "./expression/bindings.ts";
import { evaluateBool, evaluateKept } from "./expression/evaluate.ts";
import type { LoadedPlan, PlannedExpression, TriggerPlan } from "./plan.ts";
import { misfitOf } from "./request.ts";
import { toTimestamp } from "./time.ts";

/** What a trigger was met by. */
export type Occasion =
  /** The nominal time of a cron, in milliseconds since 1970. */
  | { readonly kind: "time"; readonly nominalMs: number }
  /** A message of the subject's type, as it came: it may not be one. */
  | { readonly kind: "event"; readonly event: Uint8Array };

/** What comes of it. */
export type Triggered =
  /** Its condition says no. */
  | { readonly kind: "unwanted" }
  /** The request of a run, or the message of the trigger's signal. */
  | { readonly kind: "request"; readonly request: Uint8Array }
  /** The event can't be decoded, or an expression fails on it: it will do so again. */
  | { readonly kind: "failed"; readonly message: string };

/** Evaluates a trigger of the plan: its condition, and what it builds. */
export function evaluateTrigger(plan: LoadedPlan, planned: TriggerPlan, occasion: Occasion): Triggered {
  const { when, input } = planned;
  const bindings = bindingsOf(occasion);
  if (when !== undefined) {
    const wanted = evaluateBool(when.expression, bindings);
    if (wanted.kind === "failed") return failed(when, wanted.message);
    if (!wanted.value) return { kind: "unwanted" };
  }
  // An event that is handed on as it is has been looked at by nobody.
  if (input.expression.passes !== undefined && occasion.kind === "event") {
    const misfit = misfitOf(
      plan,
      planned.trigger.kind?.$case === "subject" ? planned.trigger.kind.value.type : "",
      occasion.event,
    );
    if (misfit !== undefined) return failed(input, misfit);
  }
  const built = evaluateKept(input.expression, bindings);
  return built.kind === "failed" ? failed(input, built.message) : { kind: "request", request: built.value.bytes };
}

function failed({ place, isRedacted }: PlannedExpression, message: string): Triggered {
  const said = isRedacted ? "it fails on a value that is declared debug_redact" : message;
  return { kind: "failed", message: `${place}: ${said}` };
}

function bindingsOf(occasion: Occasion): Bindings {
  return {
    variable: (name) => (name === "event" && occasion.kind === "event" ? occasion.event : undefined),
    step: () => undefined,
    run: undefined,
    now: occasion.kind === "time" ? toTimestamp(occasion.nominalMs) : undefined,
    metadata: new Map(),
  };
}
