import type { Compensation as PlannedCompensation } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Step } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { ValueType } from "../engine/expression/value.ts";
import { compileCall } from "./call.ts";
import type { Context } from "./context.ts";
import { compileOptional } from "./expression.ts";
import { fieldOf } from "./place.ts";
import type { Place } from "./place.ts";

/**
 * Compiles a step's `compensate`. It sees what the step itself saw, and the step's own result under has(steps.<id>): it also runs
 * when the call may have been carried out and nobody knows with what result.
 */
export function compileCompensation(
  context: Context,
  step: Step,
  place: Place,
  result: ValueType | undefined,
  id: string,
): PlannedCompensation | undefined {
  const { compensate } = step;
  if (compensate === undefined) return undefined;
  const { findings, names } = context;
  const at = fieldOf(place, "compensate");
  if (step.kind !== undefined && step.kind.$case !== "call") {
    if (step.kind.$case === "switch" || step.kind.$case === "parallel") {
      findings.add(
        "NOT_YET",
        at,
        `compensating a ${step.kind.$case} as a whole is not supported yet`,
        "compensate the calls inside it",
      );
    } else {
      findings.add("COMPENSATE", at, "only a call can be compensated", "put `compensate` on the step that calls");
    }
    return undefined;
  }
  if (id !== "" && result === undefined) names.broken.add(id);
  if (id !== "" && result !== undefined) {
    names.variables.set(id, { kind: "conditional", type: result, reason: "its outcome may be unknown" });
    names.steps.set(id, { kind: "visible" });
  }
  const when = compileOptional(context, fieldOf(at, "when"), compensate.when, { kind: "bool" });
  switch (compensate.kind?.$case) {
    case "call": {
      const { call } = compileCall(context, compensate.kind.value, fieldOf(at, "call"));
      return { when: when?.expression, call, block: undefined };
    }
    case "block":
      findings.add(
        "NOT_YET",
        fieldOf(at, "block"),
        "compensating by a block is not supported yet",
        "compensate by one call",
      );
      return undefined;
    case undefined:
      findings.add("MISSING", at, "`compensate` does nothing", "add `call { … }`");
      return undefined;
  }
}
