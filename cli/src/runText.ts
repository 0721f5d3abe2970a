import type { Registry } from "@bufbuild/protobuf";
import {
  fittingAction_KindToJSON,
  Incident_Reason,
  Run_State,
  run_StateToJSON,
  stepStatus_StateToJSON,
} from "../../proto/gen/sidestep/v1/run.ts";
import type {
  FittingAction,
  Incident,
  PendingApproval,
  Run,
  RpcStatus,
  StepStatus,
  StepStatus_State,
} from "../../proto/gen/sidestep/v1/run.ts";
import { codeName } from "../../proto/wire/status.ts";
import { splitMethod } from "../../proto/wire/subjects.ts";
import { anyToLine, bytesToText } from "./messageJson.ts";
import { listText, tableText } from "./table.ts";
import type { Tone } from "./terminal.ts";
import { toned } from "./terminal.ts";
import { durationText, timeText, toMs } from "./time.ts";

/** A run for people: what it is, its steps, what it waits for, how it ended. */
export function runText(
  run: Run,
  show: {
    readonly registry: Registry;
    readonly traceLink: string | undefined;
    /** Where the trace with the spans of all services is, if the orchestrator keeps it; empty: nowhere. */
    readonly traceAt: string;
    /** What it waits for; empty: it has ended. */
    readonly waits: string;
    readonly isColored: boolean;
  },
): string {
  const { registry, isColored } = show;
  const parts = [
    listText([
      ["run", run.runId],
      ["workflow", `${run.workflow} (version ${run.version})`],
      ["key", run.key],
      ["state", toned(stateName(run.state), stateTone(run.state), isColored)],
      ["waits", show.waits],
      ["started", timeText(run.startedAt)],
      ["ended", endText(run)],
      ["deadline", timeText(run.deadline)],
      ["held", run.held ? `nothing new begins until \`sidestep run resume ${run.runId}\`` : ""],
      ["parent", run.parentRunId === "" ? "" : `${run.parentRunId} (step ${run.parentStep})`],
      ["schedule", run.scheduleId === "" ? "" : `${run.scheduleId} (for ${timeText(run.scheduledFor)})`],
      ["trigger", run.triggerId === "" ? "" : `${run.triggerId} (by ${run.eventId})`],
      ["rerun of", run.rerunOfRunId === "" ? "" : `${run.rerunOfRunId} (from ${run.rerunFromStep} on)`],
      ["rerun as", run.rerunAsRunId],
      ["signals", run.signalsWaiting === 0 ? "" : `${run.signalsWaiting} wait to be taken`],
      ["yielded", run.yielded === 0n ? "" : `${run.yielded} messages`],
      ["trace", show.traceLink ?? `${run.traceId}${show.traceAt === "" ? "" : `  ${show.traceAt}`}`],
      ...Object.entries(run.attributes).map(([name, value]) => [name, value] as const),
    ]),
  ];
  if (run.requestType === "" && run.request.length > 0) parts.push(`request\n${run.request.length} bytes\n`);
  if (run.requestType !== "") parts.push(`request\n${bytesToText(registry, run.requestType, run.request)}\n`);
  if (run.steps.length > 0) parts.push(stepsText(run.steps));
  for (const incident of run.incidents) parts.push(incidentText(run.runId, incident));
  for (const approval of run.approvals) parts.push(approvalText(run.runId, approval));
  if (run.actions.length > 0) parts.push(`what can be done now: ${actionsText(run.actions)}\n`);
  if (run.status !== undefined && run.state !== Run_State.COMPLETED) parts.push(failureLines(run.status, registry));
  if (run.state === Run_State.COMPLETED) {
    const isTyped = run.responseType !== "";
    const answer = isTyped ? bytesToText(registry, run.responseType, run.response) : `${run.response.length} bytes`;
    parts.push(`answer\n${answer}\n`);
  }
  return parts.join("\n");
}

/** The steps as a table; a compensation follows with "undo". */
export function stepsText(steps: readonly StepStatus[]): string {
  const rows = steps.map((step) => [
    step.compensation ? `undo ${step.path}` : step.path,
    step.kind,
    stepStateName(step.state),
    step.attempt === 0 ? "" : String(step.attempt),
    spanText(step),
    remarkText(step),
  ]);
  return tableText(["STEP", "KIND", "STATE", "ATTEMPT", "TIME", ""], rows);
}

/** What a person wants to know of a step besides its state. */
export function remarkText(step: StepStatus): string {
  const remarks = [step.method];
  if (step.takenOver) remarks.push("taken over");
  if (step.childRunId !== "") remarks.push(`run ${step.childRunId}`);
  if (step.lock !== "") remarks.push(`lock ${step.lock}`);
  if (step.noSidecar) remarks.push(noSidecarText(step.method));
  if (step.broken) remarks.push("waits: too many calls of it have failed, the sidecars try one now and then");
  if (step.drifted) remarks.push("waits: drift, the service that runs does not fit the call (sidestep run explain)");
  if (step.nextAt !== undefined) remarks.push(`goes on at ${timeText(step.nextAt)}`);
  if (step.maybeExecuted) remarks.push("may have been carried out");
  if (step.lastError !== undefined) remarks.push(`${codeName(step.lastError.code)}: ${step.lastError.message}`);
  return remarks.filter((remark) => remark !== "").join("; ");
}

/** What holds a step up whose service nobody offers. */
export function noSidecarText(method: string): string {
  return `waits: no sidecar offers ${splitMethod(method).service}`;
}

/** "COMPENSATION_FAILED", as in the API. */
export function stateName(state: Run_State): string {
  return run_StateToJSON(state);
}

/** "backing off". */
export function stepStateName(state: StepStatus_State): string {
  return stepStatus_StateToJSON(state).toLowerCase().replaceAll("_", " ");
}

/** How well a run does, at a glance. */
export function stateTone(state: Run_State): Tone {
  switch (state) {
    case Run_State.COMPLETED:
      return "good";
    case Run_State.FAILED:
    case Run_State.COMPENSATED:
    case Run_State.COMPENSATION_FAILED:
    case Run_State.CANCELLED:
    case Run_State.TERMINATED:
    case Run_State.CORRUPT:
      return "bad";
    case Run_State.PAUSED:
    case Run_State.COMPENSATING:
      return "waiting";
    case Run_State.RUNNING:
    case Run_State.STATE_UNSPECIFIED:
    case Run_State.UNRECOGNIZED:
      return "plain";
  }
}

function endText(run: Run): string {
  if (run.endedAt === undefined) return "";
  const tookMs = run.startedAt === undefined ? 0 : toMs(run.endedAt) - toMs(run.startedAt);
  return `${timeText(run.endedAt)} (took ${durationText(tookMs)})`;
}

function spanText(step: StepStatus): string {
  if (step.startedAt === undefined || step.endedAt === undefined) return "";
  return durationText(toMs(step.endedAt) - toMs(step.startedAt));
}

function incidentText(runId: string, incident: Incident): string {
  const step = incident.compensation ? `the compensation of ${incident.step}` : incident.step;
  const error = incident.error === undefined ? "" : `: ${codeName(incident.error.code)}: ${incident.error.message}`;
  return [
    `incident: ${step} ${reasonText(incident)}${error}`,
    `  try it again:  sidestep run retry ${runId} --step ${incident.step}`,
    `  let it fail:   sidestep run fail ${runId} --step ${incident.step}`,
    ...waysWithMessage(runId, incident),
    `  undo all:      sidestep run compensate ${runId} --step ${incident.step}`,
    "",
  ].join("\n");
}

/** A compensation has no result to give. */
function waysWithMessage(runId: string, { step, compensation }: Incident): readonly string[] {
  const given = compensation ? "" : " -d '…'";
  return [
    `  call it done:  sidestep run skip ${runId} --step ${step}${given}`,
    `  ask otherwise: sidestep run patch ${runId} --step ${step} -d '…'`,
  ];
}

function actionsText(actions: readonly FittingAction[]): string {
  return actions
    .map(({ kind, steps }) => {
      const name = fittingAction_KindToJSON(kind).toLowerCase();
      return steps.length === 0 ? name : `${name} (${steps.join(", ")})`;
    })
    .join(", ");
}

function approvalText(runId: string, { step, title, detail, approvers, due }: PendingApproval): string {
  const who = approvers.length === 0 ? "anybody" : approvers.join(", ");
  return [
    `approval: ${step} waits for ${who}${due === undefined ? "" : `, until ${timeText(due)}`}: ${title}`,
    ...(detail === "" ? [] : [`  ${detail}`]),
    `  decide:        sidestep approval decide ${runId} --step ${step} --approve --by <name>`,
    "",
  ].join("\n");
}

function reasonText({ reason, attempts }: Incident): string {
  switch (reason) {
    case Incident_Reason.EXHAUSTED:
      return `failed ${attempts} ${attempts === 1 ? "time" : "times"}`;
    case Incident_Reason.IN_DOUBT:
      return "may have been carried out";
    case Incident_Reason.COMMAND_REJECTED:
      return "could not be asked for";
    case Incident_Reason.REASON_UNSPECIFIED:
    case Incident_Reason.UNRECOGNIZED:
      return "needs a decision";
  }
}

function failureLines(status: RpcStatus, registry: Registry): string {
  const details = status.details.map((detail) => `  ${anyToLine(registry, detail)}\n`);
  return `failure: ${codeName(status.code)}: ${status.message}\n${details.join("")}`;
}
