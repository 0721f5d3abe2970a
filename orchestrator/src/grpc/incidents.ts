import { StepStatus_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { Incident } from "../../../proto/gen/sidestep/v1/run.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { callTypesAt, misfitOf, retryNowRevision } from "../processor/inbound.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import { absenceFailure, tooLarge } from "./failure.ts";
import { tooLong } from "./lengths.ts";
import { withFitting } from "./fitting.ts";
import { noIncident, severalBackoffs, severalIncidents, wrongType } from "./runFailure.ts";
import { steer } from "./steering.ts";
import type { IngressOptions } from "./starting.ts";
import { failed } from "./unary.ts";
import type { Answered } from "./unary.ts";

/** How an incident is left. */
export type Leaving =
  | { readonly kind: "retry" | "fail" | "compensate" }
  | { readonly kind: "skip"; readonly result: Uint8Array }
  | { readonly kind: "patch"; readonly request: Uint8Array };

/** How a person asks for it, and who they are. */
export interface Asked {
  readonly step: string;
  readonly reason: string;
  readonly requestId: string;
  readonly actor: string;
}

/** Leaves an incident as a person asks; what is given for the call is checked before anything is written. */
export async function leaveIncident(
  leaving: Leaving,
  runId: RunId,
  { step, reason, requestId, actor }: Asked,
  options: Pick<IngressOptions, "front" | "payloadBytesMax">,
): Promise<Answered<object>> {
  const long = tooLong({ "step path": step, reason, key: requestId });
  if (long !== undefined) return failed(long);
  const got = await options.front.get(runId);
  if (got.kind !== "run") return failed(absenceFailure(runId, got));
  const incidents = got.run.incidents.filter((one) => step === "" || one.step === step);
  const [incident, another] = incidents;
  // An older engine that shares the work on such a run would not know what is asked for.
  if (incident === undefined && leaving.kind === "retry" && got.revision >= retryNowRevision) {
    const [waiting, other] = got.run.steps.filter(
      (one) => one.state === StepStatus_State.BACKING_OFF && (step === "" || one.path === step),
    );
    if (waiting !== undefined && other === undefined) {
      const { path, compensation } = waiting;
      const event = { step: path, compensation, reason, actor, requestId, backoff: true };
      return steer(runId, { kind: "retry", event }, options);
    }
    if (waiting !== undefined) return failed(withFitting(severalBackoffs(runId), got.run));
  }
  if (incident === undefined) return failed(withFitting(noIncident(runId), got.run));
  const steps = incidents.map((one) => one.step);
  if (another !== undefined) return failed(severalIncidents(runId, steps));
  return leaveOne(leaving, runId, incident, { reason, actor, requestId }, { ...options, plan: got.plan });
}

/** Leaves this one; what is given for the call is checked before anything is written. */
export function leaveOne(
  leaving: Leaving,
  runId: RunId,
  { step, compensation }: Incident,
  asked: Omit<Asked, "step">,
  options: Pick<IngressOptions, "front" | "payloadBytesMax"> & { readonly plan: LoadedPlan },
): Promise<Answered<object>> {
  const about = { step, compensation, ...asked };
  const given = leaving.kind === "skip" ? leaving.result : leaving.kind === "patch" ? leaving.request : undefined;
  if (given !== undefined) {
    const { payloadBytesMax, plan } = options;
    if (given.length > payloadBytesMax) return Promise.resolve(failed(tooLarge(given.length, payloadBytesMax)));
    const misfit = misfitAt(plan, { step, compensation }, leaving.kind, given);
    if (misfit !== undefined) return Promise.resolve(failed(wrongType(misfit)));
  }
  switch (leaving.kind) {
    case "retry":
      return steer(runId, { kind: "retry", event: { ...about, backoff: false } }, options);
    case "fail":
    case "compensate":
      return steer(runId, { kind: leaving.kind, event: about }, options);
    case "skip":
      return steer(runId, { kind: "skip", event: { ...about, result: leaving.result } }, options);
    case "patch":
      return steer(runId, { kind: "patch", event: { ...about, request: leaving.request } }, options);
  }
}

/** Why what is given is not of the call's type; undefined: it is. */
function misfitAt(
  plan: LoadedPlan,
  incident: Pick<Incident, "step" | "compensation">,
  kind: Leaving["kind"],
  given: Uint8Array,
): string | undefined {
  if (kind === "skip" && incident.compensation)
    return given.length === 0 ? undefined : `the compensation of ${incident.step} has no result: leave it empty`;
  const types = callTypesAt(plan, incident.step, incident.compensation);
  const type = kind === "skip" ? types?.response : types?.request;
  return type === undefined || type === "" ? undefined : misfitOf(plan, type, given);
}
