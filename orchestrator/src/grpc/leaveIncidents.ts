import { hash } from "node:crypto";
import type { Incident } from "../../../proto/gen/sidestep/v1/run.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { absenceFailure } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { leaveIncident, leaveOne } from "./incidents.ts";
import type { Asked, Leaving } from "./incidents.ts";
import type { IngressOptions } from "./starting.ts";
import { done, failed } from "./unary.ts";
import type { Answered } from "./unary.ts";

/**
 * Leaves all incidents of a run, each of them once, also when this is done again after it broke off somewhere: each incident's request has an id of
 * its own, made of `requestId`, of when the incident began and of where. The youngest is left first, so the ids that the run has taken tell which
 * incidents are still meant: those that are no younger. What stopped since is another matter, even at the same step. Where there is no incident, it is
 * as leaving one is. The first that can't be left ends it, and is told.
 */
export async function leaveIncidents(
  leaving: Leaving,
  runId: RunId,
  asked: Omit<Asked, "step">,
  options: Pick<IngressOptions, "front" | "payloadBytesMax">,
): Promise<Answered<object>> {
  const { front } = options;
  const got = await front.get(runId);
  if (got.kind !== "run") return failed(absenceFailure(runId, got));
  // After the run was read: what it does not know of, that read has not seen either.
  const fate = await front.fateOf(runId, asked.requestId);
  if (fate.kind === "unavailable") return failed(absenceFailure(runId, fate));
  const taken = new Set(fate.taken);
  if (taken.size === 0 && got.run.incidents.length === 0)
    return leaveIncident(leaving, runId, { ...asked, step: "" }, options);
  const meant = stillMeant(got.run.incidents, asked.requestId, taken);
  let isLeft = taken.size > 0;
  let gone: Failure | undefined;
  for (const incident of meant) {
    const requestId = requestIdOf(asked.requestId, incident);
    if (taken.has(requestId)) continue;
    const answered = await leaveOne(leaving, runId, incident, { ...asked, requestId }, { ...options, plan: got.plan });
    if (answered.kind === "answer") isLeft = true;
    // Failing the run for one leaves the others, too.
    else if (answered.failure.reason === "NO_INCIDENT") gone ??= answered.failure;
    else return answered;
  }
  return isLeft || gone === undefined ? done({}) : failed(gone);
}

/** The youngest first. */
function stillMeant(
  incidents: readonly Incident[],
  requestId: string,
  taken: ReadonlySet<string>,
): readonly Incident[] {
  const began = [...taken].map((id) => Number(id.slice(requestId.length + 1).split(".")[0]));
  const youngest = began.length === 0 ? Infinity : Math.max(...began);
  return incidents
    .filter((incident) => beganUs(incident) <= youngest)
    .toSorted((a, b) => beganUs(b) - beganUs(a) || (a.step < b.step ? -1 : 1));
}

function beganUs({ since }: Incident): number {
  return since === undefined ? 0 : Number(since.seconds) * 1_000_000 + Math.round(since.nanos / 1_000);
}

function requestIdOf(requestId: string, incident: Incident): string {
  const place = `${incident.compensation ? "undo" : "do"} ${incident.step}`;
  return `${requestId}.${beganUs(incident)}.${hash("sha256", place).slice(0, 16)}`;
}
