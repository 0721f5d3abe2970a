import type {
  AttemptId,
  CommandDeferred,
  CommandRejected,
  Event,
  Migrated,
  Rerun,
} from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Outcome } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { HistoryEvent_Kind as Kind } from "../../../proto/gen/sidestep/v1/run.ts";
import type { HistoryEvent, RpcStatus } from "../../../proto/gen/sidestep/v1/run.ts";
import { status_CodeFromJSON } from "../../../proto/gen/sidestep/v1/workflow.ts";
import type { Turn } from "./advance.ts";
import { showMessage } from "./describeMessage.ts";
import type { Shown } from "./describeMessage.ts";
import { parseDetails } from "./failure.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import type { LoadedPlan } from "./plan.ts";
import type { LogRecord } from "./record.ts";
import { shownBytes, shownDetails } from "./redact.ts";
import type { RunState } from "./state.ts";
import { toTimestamp } from "./time.ts";

/** A record as the public history shows it, without what is declared `debug_redact`. `state` and `turn` are those after the record was folded, where they are at hand. */
export function describeEvent(
  plan: LoadedPlan,
  state: RunState | undefined,
  record: LogRecord,
  turn: Turn | undefined,
): HistoryEvent {
  const { fact } = record;
  const shown = fact.kind === "event" ? showEvent(plan, fact.event, turn) : showOutcome(state, fact.outcome);
  const { payload = blank.payload, payloadType = "", status } = shown;
  const isForged = fact.kind === "outcome" && !fact.authentic;
  return {
    ...blank,
    ...shown,
    payload: shownBytes(plan.registry, payloadType, payload),
    status: status === undefined ? undefined : { ...status, details: shownDetails(plan.registry, status.details) },
    sequence: BigInt(record.sequence),
    time: toTimestamp(record.storedMs),
    ignored: turn?.ignored ?? isForged,
    text: isForged ? "its token is not the attempt's" : (shown.text ?? ""),
  };
}

const blank: HistoryEvent = {
  sequence: 0n,
  time: undefined,
  kind: Kind.KIND_UNSPECIFIED,
  step: "",
  compensation: false,
  attempt: 0,
  status: undefined,
  payload: new Uint8Array(),
  payloadType: "",
  text: "",
  actor: "",
  ignored: false,
};

function showEvent(loaded: LoadedPlan, { kind }: Event, turn: Turn | undefined): Shown {
  const { plan } = loaded;
  switch (kind?.$case) {
    case undefined:
      return {};
    case "runStarted":
      return {
        kind: Kind.RUN_STARTED,
        payload: kind.value.request,
        payloadType: plan.requestType,
        actor: kind.value.actor,
        text: `${kind.value.workflow} version ${kind.value.version}${rerunText(loaded, kind.value.rerun)}`,
      };
    case "timerFired":
      return { kind: Kind.TIMER_FIRED, ...showTimer(turn) };
    case "attemptExpired":
      return { kind: Kind.ATTEMPT_EXPIRED, ...showAttempt(kind.value.attempt), text: "no outcome came in its time" };
    case "cancelRequested":
      return { kind: Kind.CANCEL_REQUESTED, actor: kind.value.actor, text: kind.value.reason };
    case "terminateRequested":
      return { kind: Kind.TERMINATE_REQUESTED, actor: kind.value.actor, text: kind.value.reason };
    case "retryRequested": {
      const { step, compensation, actor, reason } = kind.value;
      return { kind: Kind.RETRY_REQUESTED, step, compensation, actor, text: reason };
    }
    case "failRequested": {
      const { step, compensation, actor, reason } = kind.value;
      return { kind: Kind.FAIL_REQUESTED, step, compensation, actor, text: reason };
    }
    case "commandRejected":
      return { kind: Kind.COMMAND_REJECTED, ...showCommand(kind.value.command), text: kind.value.reason };
    case "commandDeferred":
      return showDeferral(kind.value);
    case "runEnded": {
      const { status, response, step } = kind.value;
      return {
        kind: Kind.RUN_ENDED,
        step,
        status: status === undefined ? undefined : { ...status, code: status_CodeFromJSON(status.code) },
        payload: response,
        payloadType: status === undefined ? plan.responseType : "",
      };
    }
    case "signalReceived":
    case "decisionMade":
    case "skipRequested":
    case "patchRequested":
    case "compensateRequested":
    case "pauseRequested":
    case "resumeRequested":
    case "deleteRequested":
    case "rerunRequested":
    case "childStarted":
    case "childRefused":
    case "childEnded":
    case "lockGranted":
    case "emitted":
      return showMessage(loaded, kind);
    case "migrated":
      return showMigration(kind.value);
    case "snapshot":
      return { kind: Kind.SNAPSHOT, text: `events up to ${kind.value.sequence} are summed up here and may be gone` };
    case "lockRequested":
    case "lockReleased":
      return {};
  }
}

function showDeferral({ command, reason, drift }: CommandDeferred): Shown {
  return { kind: drift ? Kind.DRIFTED : Kind.COMMAND_DEFERRED, ...showCommand(command), text: reason };
}

function showMigration({ version, reason, actor, droppedSignals }: Migrated): Shown {
  const signals = droppedSignals.map(({ name, count }) => `${count} × ${name}`).join(", ");
  const dropped = signals === "" ? "" : `, which drops signals that it does not know (${signals})`;
  return { kind: Kind.MIGRATED, text: `to version ${version}${dropped}${reason === "" ? "" : `: ${reason}`}`, actor };
}

function rerunText({ steps }: LoadedPlan, rerun: Rerun | undefined): string {
  if (rerun === undefined) return "";
  const names = rerun.taken.map(({ index }) => steps[index]?.name ?? "");
  const taken = names.length === 0 ? "" : `, with what these came to there: ${names.join(", ")}`;
  const reason = rerun.reason === "" ? "" : ` (${rerun.reason})`;
  return ` in place of run ${toHex(rerun.runId)} from ${rerun.step} on${taken}${reason}`;
}

function showOutcome(state: RunState | undefined, outcome: Outcome): Shown {
  const about = showAttempt(outcome.attempt);
  const isVerify = outcome.attempt?.phase === Phase.VERIFY;
  const answered = isVerify ? Kind.VERIFY_ANSWERED : Kind.STEP_COMPLETED;
  switch (outcome.kind?.$case) {
    case undefined:
      return about;
    case "completed":
      return {
        ...about,
        kind: answered,
        payload: outcome.kind.value,
        payloadType: responseTypeOf(state, outcome.attempt),
      };
    case "claimed": {
      const { sizeBytes } = outcome.kind.value;
      const payloadType = responseTypeOf(state, outcome.attempt);
      return {
        ...about,
        kind: answered,
        payloadType,
        text: `the result of ${sizeBytes} bytes is kept apart`,
      };
    }
    case "failed": {
      const { code, message, details } = outcome.kind.value;
      const status: RpcStatus = { code: status_CodeFromJSON(code), message, details: parseDetails(details) };
      return { ...about, kind: Kind.ATTEMPT_FAILED, status, text: isVerify ? "verify" : "" };
    }
    case "started":
      return { ...about, kind: Kind.ATTEMPT_CLAIMED };
    case "inDoubt":
      return {
        ...about,
        kind: Kind.ATTEMPT_FAILED,
        text: "delivered again after it was claimed: it may have been carried out",
      };
  }
}

function showAttempt(id: AttemptId | undefined): Shown {
  if (id === undefined) return {};
  return { step: id.step, compensation: id.phase === Phase.COMPENSATE, attempt: id.attempt };
}

function showCommand(command: CommandRejected["command"]): Shown {
  switch (command?.$case) {
    case "task":
      return showAttempt(command.value);
    case "emit":
    case "child":
    case "lock":
      return { step: command.value.step };
    case "timer":
    case undefined:
      return {};
  }
}

function responseTypeOf(state: RunState | undefined, id: AttemptId | undefined): string {
  if (state === undefined || id === undefined) return "";
  const steps = id.phase === Phase.COMPENSATE ? state.compensations : state.steps;
  const call = steps.get(id.step)?.call?.plan;
  return (id.phase === Phase.VERIFY ? call?.verify?.call : call)?.resultType ?? "";
}

/** What the timer was for, by what it led to. */
function showTimer(turn: Turn | undefined): Shown {
  for (const it of turn?.transitions ?? []) {
    switch (it.kind) {
      case "attemptBegan":
        return { ...showAttempt(it.attempt), text: "the backoff is over" };
      case "attemptOverdue":
        return { ...showAttempt(it.attempt), text: `no outcome yet: does a sidecar offer ${it.method}?` };
      case "stepEnded":
        return { step: it.address.step, compensation: it.address.phase === Phase.COMPENSATE };
      case "incidentOpened":
        return {
          step: it.address.step,
          compensation: it.address.phase === Phase.COMPENSATE,
          text: "the step's time is over",
        };
      case "runStarted":
      case "stepBegan":
      case "attemptEnded":
      case "backoffBegan":
      case "incidentClosed":
      case "compensationBegan":
      case "yielded":
      case "runEnded":
        break;
    }
  }
  return {};
}
