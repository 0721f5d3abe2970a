import type { Run } from "../../../proto/gen/sidestep/v1/run.ts";
import { stepLine, stepTone } from "../progress.ts";
import { fit } from "../runTree.ts";
import { stateName, stateTone } from "../runText.ts";
import { toned } from "../terminal.ts";
import { durationText, toMs } from "../time.ts";

/** A run's steps below each other as they are nested, each with the virtual time after which it began. */
export function simulatedLines(run: Run, columns: number, isColored: boolean): readonly string[] {
  const startedMs = run.startedAt === undefined ? 0 : toMs(run.startedAt);
  const took = run.endedAt === undefined ? "" : `  ${durationText(toMs(run.endedAt) - startedMs)}`;
  const key = run.key === "" ? "" : `  ${run.key}`;
  const head = toned(
    fit(`${stateName(run.state)}  ${run.workflow}${key}${took}`, columns),
    stateTone(run.state),
    isColored,
  );
  const steps = run.steps.map((step) => {
    const after = step.startedAt === undefined ? "" : `+${durationText(toMs(step.startedAt) - startedMs)}`;
    const name = step.path.slice(step.path.lastIndexOf("/") + 1);
    const indent = "  ".repeat(step.path.split("/").length - 1);
    const line = stepLine(`${indent}${step.compensation ? `undo ${name}` : name}`, step);
    return toned(fit(`${after.padStart(11)}${line}`, columns), stepTone(step), isColored);
  });
  return [head, ...steps];
}
