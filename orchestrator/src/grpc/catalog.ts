import type { StepStatus } from "../../../proto/gen/sidestep/v1/run.ts";

/** What the sidecars offer now. */
export interface Catalog {
  /** A call of the step is due or out, and no sidecar that serves its service is there. */
  isMissing(step: StepStatus): boolean;
}
