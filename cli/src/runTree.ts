import { StepStatus_State } from "../../proto/gen/sidestep/v1/run.ts";
import type { Run, StepStatus } from "../../proto/gen/sidestep/v1/run.ts";
import { stepLine, stepTone } from "./progress.ts";
import { stateName, stateTone } from "./runText.ts";
import { toned } from "./terminal.ts";
import { durationText, toMs } from "./time.ts";

/** What a tree has to fit. */
export interface Screen {
  readonly columns: number;
  readonly rows: number;
}

/** More say no more. */
const incidentsMax = 3;

/**
 * A run as lines that fit a screen: its header, then its steps below each other as they are nested. When they are more than the screen has rows,
 * those that are done are folded first, the oldest before the others.
 */
export function treeLines(run: Run, { columns, rows }: Screen, nowMs: number, isColored: boolean): readonly string[] {
  const started = run.startedAt === undefined ? nowMs : toMs(run.startedAt);
  const ended = run.endedAt === undefined ? nowMs : toMs(run.endedAt);
  const state = `${stateName(run.state)}${run.held ? ", held" : ""}`;
  const head = `${state}  ${run.workflow}  ${run.key}  ${run.runId}  ${durationText(Math.max(0, ended - started))}`;
  const room = Math.max(1, rows - 3 - Math.min(incidentsMax, run.incidents.length));
  const folded = run.steps.length > room ? new Set(foldable(run.steps, run.steps.length - room + 1)) : undefined;
  const lines = [toned(fit(head, columns), stateTone(run.state), isColored)];
  if (folded !== undefined && folded.size > 0)
    lines.push(toned(fit(`  … ${folded.size} steps that are done`, columns), "quiet", isColored));
  const left = run.steps.filter((step) => folded?.has(step) !== true);
  for (const step of left.slice(-room)) {
    const name = step.path.slice(step.path.lastIndexOf("/") + 1);
    const indent = "  ".repeat(step.path.split("/").length - 1);
    const line = stepLine(`${indent}${step.compensation ? `undo ${name}` : name}`, step);
    lines.push(toned(fit(line, columns), stepTone(step), isColored));
  }
  for (const { step } of run.incidents.slice(0, incidentsMax)) {
    const text = `  ${step} needs a decision: sidestep run retry ${run.runId} --step ${step}, or run fail`;
    lines.push(toned(fit(text, columns), "waiting", isColored));
  }
  return lines;
}

function foldable(steps: readonly StepStatus[], count: number): readonly StepStatus[] {
  return steps.filter(({ state }) => isDone(state)).slice(0, count);
}

function isDone(state: StepStatus_State): boolean {
  return (
    state === StepStatus_State.COMPLETED || state === StepStatus_State.SKIPPED || state === StepStatus_State.CANCELLED
  );
}

/** One line of at most so many characters: what names and errors have in control characters never reaches the terminal. */
export function fit(text: string, columns: number): string {
  const line = Array.from(text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " "));
  return line.length <= columns ? line.join("") : `${line.slice(0, Math.max(0, columns - 1)).join("")}…`;
}
