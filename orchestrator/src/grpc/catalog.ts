import type { Sidecar } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { StepStatus_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { StepStatus } from "../../../proto/gen/sidestep/v1/run.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import { splitMethod } from "../../../proto/wire/subjects.ts";

/** A sidecar that takes a service's tasks, as the catalog has it. */
export interface SidecarOffer {
  readonly sidecar: string;
  /** It holds calls of the method back. */
  readonly broken: boolean;
}

/** A sidecar beside a service process, as it says itself. */
export interface KnownSidecar {
  readonly sidecar: Sidecar | undefined;
  readonly services: readonly string[];
  /** Empty: it does not know them. */
  readonly methods: readonly string[];
  readonly target: string;
  readonly serving: boolean;
  readonly concurrency: number;
  readonly broken: readonly string[];
  readonly heardMs: number;
  readonly inFlight: number;
  /** An operator has asked it to take nothing new. */
  readonly draining?: { readonly reason: string; readonly sinceMs: number; readonly actor: string } | undefined;
}

/** What the sidecars offer now. */
export interface Catalog {
  /** Those that are alive; one may be told of several times. */
  sidecars(): readonly KnownSidecar[];
  /** Whether a sidecar pulls tasks of the service; undefined: not known. */
  isServed(service: string): boolean | undefined;
  /** Whether every sidecar that pulls them holds calls of the method back. */
  isBroken(method: string): boolean;
  /** Why no service that runs fits the call of a step; undefined: one does, or it is not known. */
  driftOf(plan: LoadedPlan, method: string, path: string): string | undefined;
  /** Sidecars that pull tasks of the method's service; undefined: not known. */
  offersOf(method: string): readonly SidecarOffer[] | undefined;
}

/** The step as the catalog knows it: nobody may be there to take its task, or those who are may hold its calls back. */
export function withCatalog(step: StepStatus, catalog: Catalog, plan: LoadedPlan): StepStatus {
  if (isWithoutSidecar(step, catalog)) return { ...step, noSidecar: true };
  if (step.state !== StepStatus_State.RUNNING || step.method === "") return step;
  if (catalog.driftOf(plan, step.method, step.path) !== undefined) return { ...step, drifted: true };
  return catalog.isBroken(step.method) ? { ...step, broken: true } : step;
}

/** A task of the step is out, and nobody is there to take it. */
function isWithoutSidecar(step: StepStatus, catalog: Catalog): boolean {
  return (
    step.state === StepStatus_State.RUNNING &&
    step.method !== "" &&
    catalog.isServed(splitMethod(step.method).service) === false
  );
}
