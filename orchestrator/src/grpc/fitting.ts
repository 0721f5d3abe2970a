import { fittingAction_KindToJSON } from "../../../proto/gen/sidestep/v1/run.ts";
import type { FittingAction, Run } from "../../../proto/gen/sidestep/v1/run.ts";
import { code } from "../../../proto/wire/status.ts";
import type { Failure } from "./failure.ts";

/** So many steps are named of one action; the run itself tells more. */
const stepsNamed = 5;

/** A refusal of what does not fit the run's state, with what does: as a sentence, and in the ErrorInfo as `fits`. Others stay as they are. */
export function withFitting(failure: Failure, { actions }: Pick<Run, "actions">): Failure {
  if (failure.code !== code.FAILED_PRECONDITION) return failure;
  const message = `${failure.message}; ${fittingText(actions)}`;
  const fits = actions.map(({ kind }) => fittingAction_KindToJSON(kind)).join(",");
  return { ...failure, message, metadata: { ...failure.metadata, fits } };
}

function fittingText(actions: readonly FittingAction[]): string {
  if (actions.length === 0) return "nothing can be done with it now";
  const named = actions.map(({ kind, steps }) => {
    const name = fittingAction_KindToJSON(kind).toLowerCase();
    if (steps.length === 0) return name;
    const more = steps.length > stepsNamed ? [`${steps.length - stepsNamed} more`] : [];
    return `${name} (${[...steps.slice(0, stepsNamed), ...more].join(", ")})`;
  });
  return `what fits now: ${named.join(", ")}`;
}
