import type { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RpcStatus as InternalStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { HistoryEvent_Kind as Kind, run_StateToJSON } from "../../../proto/gen/sidestep/v1/run.ts";
import type { HistoryEvent, RpcStatus } from "../../../proto/gen/sidestep/v1/run.ts";
import { status_CodeFromJSON } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import type { LoadedPlan, StepPlan } from "./plan.ts";

/** What an event shows beside its place and time. */
export type Shown = Partial<HistoryEvent>;

/** What people, other runs and locks have told a run. */
type Message = Extract<
  NonNullable<Event["kind"]>,
  {
    readonly $case:
      | "signalReceived"
      | "decisionMade"
      | "skipRequested"
      | "patchRequested"
      | "compensateRequested"
      | "pauseRequested"
      | "resumeRequested"
      | "deleteRequested"
      | "rerunRequested"
      | "childStarted"
      | "childRefused"
      | "childEnded"
      | "lockGranted"
      | "emitted";
  }
>;

/** A message to a run as the public history shows it. */
export function showMessage(plan: LoadedPlan, message: Message): Shown {
  switch (message.$case) {
    case "signalReceived": {
      const { name, payload, actor } = message.value;
      const payloadType = plan.signals.find((signal) => signal.name === name)?.type ?? "";
      return { kind: Kind.SIGNAL_RECEIVED, payload, payloadType, actor, text: name };
    }
    case "decisionMade": {
      const { step, approved, form, by, actor, comment } = message.value;
      const { action } = stepPlanAt(plan, step) ?? {};
      const payloadType = action?.kind === "approve" ? action.approval.type : "";
      const inNameOf = actor === "" || actor === by ? "" : ` in the name of ${by}`;
      const text = `${approved ? "approved" : "rejected"}${inNameOf}${comment === "" ? "" : `: ${comment}`}`;
      return { kind: Kind.DECISION_MADE, step, payload: form, payloadType, actor: actor === "" ? by : actor, text };
    }
    case "skipRequested": {
      const { step, compensation, result, actor, reason } = message.value;
      const { action } = stepPlanAt(plan, step) ?? {};
      const payloadType = compensation || action?.kind !== "call" ? "" : action.call.resultType;
      return { kind: Kind.SKIP_REQUESTED, step, compensation, payload: result, payloadType, actor, text: reason };
    }
    case "patchRequested": {
      const { step, compensation, request, actor, reason } = message.value;
      return { kind: Kind.PATCH_REQUESTED, step, compensation, payload: request, actor, text: reason };
    }
    case "compensateRequested": {
      const { step, actor, reason } = message.value;
      return { kind: Kind.COMPENSATE_REQUESTED, step, actor, text: reason };
    }
    case "pauseRequested":
    case "resumeRequested":
    case "deleteRequested":
    case "rerunRequested":
      return showOfRun(message);
    case "childStarted":
      return {
        kind: Kind.CHILD_STARTED,
        step: message.value.step?.step ?? "",
        text: `run ${toHex(message.value.runId)}`,
      };
    case "childRefused":
      return {
        kind: Kind.CHILD_REFUSED,
        step: message.value.step?.step ?? "",
        status: toPublicStatus(message.value.status),
      };
    case "childEnded": {
      const { step, runId, ended } = message.value;
      const { action } = stepPlanAt(plan, step?.step ?? "") ?? {};
      return {
        kind: Kind.CHILD_ENDED,
        step: step?.step ?? "",
        status: toPublicStatus(ended?.status),
        payload: ended?.response ?? new Uint8Array(),
        payloadType: action?.kind === "run" && ended?.status === undefined ? action.run.responseType : "",
        text: `run ${toHex(runId)}${ended === undefined ? "" : `: ${run_StateToJSON(ended.state)}`}`,
      };
    }
    case "lockGranted":
      return { kind: Kind.LOCK_GRANTED, step: message.value.step?.step ?? "", text: message.value.lock };
    case "emitted":
      return { kind: Kind.EMITTED, step: message.value.step?.step ?? "" };
  }
}

/** What a person asks of the run as a whole. */
function showOfRun(
  message: Extract<
    Message,
    { readonly $case: "pauseRequested" | "resumeRequested" | "deleteRequested" | "rerunRequested" }
  >,
): Shown {
  switch (message.$case) {
    case "pauseRequested":
      return { kind: Kind.PAUSE_REQUESTED, actor: message.value.actor, text: message.value.reason };
    case "resumeRequested":
      return { kind: Kind.RESUME_REQUESTED, actor: message.value.actor, text: message.value.reason };
    case "deleteRequested":
      return { kind: Kind.DELETE_REQUESTED, actor: message.value.actor, text: message.value.reason };
    case "rerunRequested": {
      const { step, runId, actor, reason } = message.value;
      return {
        kind: Kind.RERUN_REQUESTED,
        step,
        actor,
        text: `as run ${toHex(runId)}${reason === "" ? "" : `: ${reason}`}`,
      };
    }
  }
}

/** The step of the plan that a path ends in. */
function stepPlanAt({ steps }: LoadedPlan, path: string): StepPlan | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return steps.find((step) => step.name === name);
}

function toPublicStatus(status: InternalStatus | undefined): RpcStatus | undefined {
  return status === undefined ? undefined : { ...status, code: status_CodeFromJSON(status.code) };
}
