import { run_StateToJSON, stepStatus_StateToJSON } from "../../../proto/gen/sidestep/v1/run.ts";
import type { Run as ShownRun, RpcStatus, StepStatus } from "../../../proto/gen/sidestep/v1/run.ts";
import { codeName } from "../../../proto/wire/status.ts";

/** A run in lines: its state, each step, what waits for somebody. */
export function runText(run: ShownRun | undefined): string {
  if (run === undefined) return "the run has not begun";
  const lines = [`${run.workflow}  ${run_StateToJSON(run.state)}${statusText(run.status)}`];
  for (const step of run.steps) lines.push(stepText(step));
  for (const { step, error } of run.incidents) lines.push(`  ${step} needs a decision${statusText(error)}`);
  for (const { step } of run.approvals) lines.push(`  ${step} waits to be approved`);
  return lines.join("\n");
}

function stepText({ path, compensation, state, lastError, attempt }: StepStatus): string {
  const indent = "  ".repeat(path.split("/").length);
  const name = path.slice(path.lastIndexOf("/") + 1);
  const attempts = attempt > 1 ? `, attempt ${attempt}` : "";
  return `${indent}${compensation ? "undo " : ""}${name}  ${stepStatus_StateToJSON(state)}${attempts}${statusText(lastError)}`;
}

function statusText(status: RpcStatus | undefined): string {
  return status === undefined || status.code === 0 ? "" : `  ${codeName(status.code)}: ${status.message}`;
}
