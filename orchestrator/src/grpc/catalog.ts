import { StepStatus_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { StepStatus } from "../../../proto/gen/sidestep/v1/run.ts";
import { splitMethod } from "../../../proto/wire/subjects.ts";

/** What the sidecars offer now. */
export interface Catalog {
  /** Whether a sidecar pulls tasks of the service; undefined: not known. */
  isServed(service: string): boolean | undefined;
}

/** A task of the step is out, and nobody is there to take it. */
export function isWithoutSidecar(step: StepStatus, catalog: Catalog): boolean {
  return (
    step.state === StepStatus_State.RUNNING &&
    step.method !== "" &&
    catalog.isServed(splitMethod(step.method).service) === false
  );
}
