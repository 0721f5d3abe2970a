import { Run_State, StepStatus_State } from "../../proto/gen/sidestep/v1/run.ts";
import type { Run, StepStatus } from "../../proto/gen/sidestep/v1/run.ts";
import { codeName } from "../../proto/wire/status.ts";
import { remarkText, stateName, stepStateName } from "./runText.ts";
import { toned } from "./terminal.ts";
import type { Terminal, Tone } from "./terminal.ts";
import { durationText, toMs } from "./time.ts";

/** Writes a line for each change between two looks at a run. */
export interface Progress {
  show(run: Run): void;
}

/** Plain lines on stderr, each once: they read the same in a terminal and in a log. */
export function openProgress(terminal: Terminal): Progress {
  const told = new Map<string, string>();
  const tell = (key: string, text: string, tone: Tone): void => {
    if (told.get(key) === text) return;
    told.set(key, text);
    terminal.err(`${toned(text, tone, terminal.colors.err)}\n`);
  };
  return {
    show: (run) => {
      for (const step of run.steps) {
        const name = step.compensation ? `undo ${step.path}` : step.path;
        tell(name, stepLine(name, step), stepTone(step));
      }
      for (const { step } of run.incidents) {
        const text = `  ${step} needs a decision: sidestep run retry ${run.runId} --step ${step}, or run fail`;
        tell(`incident ${step}`, text, "waiting");
      }
      for (const { step, approvers } of run.approvals) {
        const who = approvers.length === 0 ? "anybody" : approvers.join(", ");
        const text = `  ${step} waits for a decision of ${who}: sidestep approval decide ${run.runId} --step ${step} --approve`;
        tell(`approval ${step}`, text, "waiting");
      }
      if (run.held) tell("held", `  held: nothing new begins until sidestep run resume ${run.runId}`, "waiting");
      if (run.state === Run_State.COMPENSATING)
        tell("state", `  ${stateName(run.state).toLowerCase()}: what was done is undone`, "waiting");
    },
  };
}

/** A step in one line. */
export function stepLine(name: string, step: StepStatus): string {
  const took =
    step.startedAt !== undefined && step.endedAt !== undefined
      ? `  ${durationText(toMs(step.endedAt) - toMs(step.startedAt))}`
      : "";
  return `  ${name}  ${stepStateName(step.state)}${took}${remarkOf(step)}`;
}

function remarkOf(step: StepStatus): string {
  switch (step.state) {
    case StepStatus_State.BACKING_OFF:
    case StepStatus_State.FAILED:
      return step.lastError === undefined ? "" : `  after ${codeName(step.lastError.code)}: ${step.lastError.message}`;
    case StepStatus_State.RUNNING:
    case StepStatus_State.WAITING:
    case StepStatus_State.QUEUED:
    case StepStatus_State.PAUSED: {
      const remark = remarkText(step);
      const next = step.noSidecar
        ? "; start one: sidestep sidecar --service <host:port>; or its service is not up"
        : "";
      return remark === "" ? "" : `  ${remark}${next}`;
    }
    case StepStatus_State.COMPLETED:
    case StepStatus_State.SKIPPED:
    case StepStatus_State.CANCELLED:
    case StepStatus_State.STATE_UNSPECIFIED:
    case StepStatus_State.UNRECOGNIZED:
      return "";
  }
}

/** The colour of a step. */
export function stepTone(step: StepStatus): Tone {
  switch (step.state) {
    case StepStatus_State.COMPLETED:
      return "good";
    case StepStatus_State.FAILED:
      return "bad";
    case StepStatus_State.BACKING_OFF:
    case StepStatus_State.PAUSED:
    case StepStatus_State.WAITING:
    case StepStatus_State.QUEUED:
      return "waiting";
    case StepStatus_State.RUNNING:
      return step.noSidecar || step.broken || step.drifted ? "waiting" : "quiet";
    case StepStatus_State.SKIPPED:
    case StepStatus_State.CANCELLED:
    case StepStatus_State.STATE_UNSPECIFIED:
    case StepStatus_State.UNRECOGNIZED:
      return "quiet";
  }
}
