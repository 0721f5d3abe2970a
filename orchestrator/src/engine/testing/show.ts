import { AttemptId_Phase as Phase } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import type { AttemptId, RunEnded } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RpcStatus } from "../../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { ErrorInfo } from "../../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { incident_ReasonToJSON, run_StateToJSON } from "../../../../proto/gen/sidestep/v1/run.ts";
import { codeName } from "../../../../proto/wire/status.ts";
import type { Command, StepName } from "../command.ts";
import { lockHolderName } from "../lock.ts";
import type { LiveStep } from "../live.ts";
import type { RunState } from "../state.ts";
import { isOpen } from "../step.ts";
import { listUndo } from "../undo.ts";
import { epochMs } from "./expression.ts";

/** A command as a transcript shows it. */
export function showCommand(command: Command): string {
  switch (command.kind) {
    case "publishTask": {
      const headers = command.headers
        .map((header) => ` ${header.key}=${"secret" in header ? `secret(${header.secret})` : header.value}`)
        .join("");
      const undoes = command.compensates === undefined ? "" : ` undoes=${showAttempt(command.compensates)}`;
      const stream = command.stream === undefined ? "" : ` collects=${command.stream.messagesMax}`;
      const flags = `${command.claim ? " claim" : ""}${command.isReissue ? " reissue" : ""}${stream}`;
      const request = command.request.length === 0 ? "" : ` ${showText(command.request)}`;
      return `task ${showAttempt(command.attempt)} ${command.method}${request}${headers} timeout=${showMs(command.timeoutMs)}${undoes}${flags}`;
    }
    case "armTimer":
      return `timer ${command.number} due ${showMs(command.dueMs - epochMs)}`;
    case "cancelTimer":
      return `cancel timer ${command.number}`;
    case "closeAttempt":
      return `close ${showAttempt(command.attempt)}`;
    case "endRun":
      return `end ${showEnd(command.ended)} after event ${command.expectedEvent}`;
    case "startChild": {
      const flags = `${command.key === undefined ? "" : ` key='${command.key}'`}${command.detach ? " detached" : ""}`;
      return `start ${showStepName(command.at)} ${command.workflow} ${showText(command.request)}${flags}`;
    }
    case "stopChild":
      return `${command.how} child ${showStepName(command.at)} '${command.reason}'`;
    case "tellParent":
      return `tell parent at ${showStepName(command.parent)} ${showEnd(command.ended)}`;
    case "emitMessage":
      return `emit ${showStepName(command.at)} ${command.subject} ${command.type} ${showText(command.message)}`;
    case "requestLock":
      return `request lock '${command.lock}' for ${showStepName(command.at)}`;
    case "releaseLock":
      return `release lock '${command.lock}' of ${showStepName(command.at)}`;
    case "grantLock":
      return `grant lock '${command.lock}' to ${lockHolderName(command.holder)}`;
    case "deleteRun":
      return "delete";
    case "startRerun":
      return `rerun from ${command.step}`;
  }
}

function showStepName({ step, generation }: StepName): string {
  return generation === 0 ? step : `${step}/g${generation}`;
}

/** The run's phase, what is open in it, and what is to be undone. */
export function showState(state: RunState): string {
  const open = [...state.steps.values(), ...state.compensations.values()].filter(isOpen);
  const undo = [...listUndo(state.undo), ...(state.undoing?.waiting ?? [])].map((step) => step.path);
  return [
    `= ${state.phase}`,
    state.ended === undefined ? "" : ` ${showEnd(state.ended)}`,
    open.length === 0 ? "" : `: ${open.map(showStep).join(", ")}`,
    undo.length === 0 || state.ended !== undefined ? "" : `; to undo: ${undo.join(", ")}`,
    detached(state),
    showKept(state),
  ].join("");
}

function showKept({ hold, signals, yields }: RunState): string {
  const kept = signals.map(({ name, payload }) => `${name} ${showText(payload)}`);
  const yielded = yields.messages.map(showText);
  return [
    kept.length === 0 ? "" : `; kept: ${kept.join(", ")}`,
    yielded.length === 0 ? "" : `; yielded from ${yields.first}: ${yielded.join(", ")}`,
    hold !== undefined ? "; held" : "",
  ].join("");
}

function detached({ attempts }: RunState): string {
  const left = [...attempts.values()].filter(({ step }) => !isOpen(step)).map(({ id }) => showAttempt(id));
  return left.length === 0 ? "" : `; awaits ${left.join(", ")}`;
}

const phases: Readonly<Record<number, string>> = { [Phase.COMPENSATE]: "undo:", [Phase.VERIFY]: "verify:" };

function showStep(step: LiveStep): string {
  const name = (phases[step.phase] ?? "") + step.path;
  const { state } = step;
  const doubt = step.maybeExecuted ? " (maybe executed)" : "";
  switch (state.kind) {
    case "running":
      return `${name} running #${state.attempt.id.attempt}${state.attempt.claim === undefined ? "" : " claimed"}${state.attempt.isOverdue ? " overdue" : ""}${doubt}`;
    case "closing":
      return `${name} closing #${state.attempt.id.attempt} (${state.reason})${doubt}`;
    case "paused":
      return `${name} paused ${incident_ReasonToJSON(state.incident.reason)} ${showStatus(state.incident.status)}${doubt}`;
    case "queued":
      return `${name} queued for '${step.outside?.lock?.name ?? ""}'`;
    case "following":
    case "emitting":
      return `${name} ${state.kind}${state.isStopping ? " (stop)" : ""}${doubt}`;
    case "verifying":
      return `${name} verifying${state.by === undefined ? "" : ` by ${showStep(state.by)}`}${doubt}`;
    case "ready":
    case "backingOff":
    case "waiting":
    case "listening":
    case "asking":
    case "inside":
    case "undoing":
    case "completed":
    case "failed":
    case "skipped":
    case "cancelled":
      return `${name} ${state.kind}${doubt}`;
  }
}

function showEnd({ state, response, status, step }: RunEnded): string {
  if (status === undefined) return `${run_StateToJSON(state)} ${showText(response)}`;
  return `${run_StateToJSON(state)}${step === "" ? "" : ` at ${step}`} ${showStatus(status)}`;
}

function showStatus({ code, message, details }: RpcStatus): string {
  const shown = details.map(({ typeUrl, value }) => {
    if (!typeUrl.endsWith("ErrorInfo")) return `${typeUrl.slice(typeUrl.indexOf("/") + 1)}=${showText(value)}`;
    return ErrorInfo.decode(value).reason;
  });
  return `${codeName(code)} '${message}'${shown.length === 0 ? "" : ` [${shown.join(", ")}]`}`;
}

function showAttempt(id: AttemptId): string {
  return `${phases[id.phase] ?? ""}${id.step}${id.generation === 0 ? "" : `/g${id.generation}`}#${id.attempt}`;
}

function showText(bytes: Uint8Array): string {
  return `'${new TextDecoder().decode(bytes)}'`;
}

function showMs(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}
