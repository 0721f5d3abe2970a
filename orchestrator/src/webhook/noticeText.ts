import { incident_ReasonToJSON, run_StateToJSON } from "../../../proto/gen/sidestep/v1/run.ts";
import { codeName } from "../../../proto/wire/status.ts";
import type { Notice } from "../projection/notices.ts";

const messageLengthMax = 2_000;

/** The body of one delivery: JSON, as docs/webhook.md describes it. */
export function bodyOf(notices: readonly Notice[]): string {
  return JSON.stringify({ notices: notices.map(toJson) });
}

function toJson(notice: Notice): object {
  const { id, name, atMs, runId, traceId, workflow, version, key, step, attempt, compensation, reason, state } = notice;
  return {
    id,
    kind: name === "incident" ? "INCIDENT" : "RUN_FAILED",
    time: new Date(atMs).toISOString(),
    runId,
    traceId,
    workflow,
    version,
    key,
    state: run_StateToJSON(state),
    step,
    ...(name === "incident" ? { attempt, compensation, reason: incident_ReasonToJSON(reason) } : {}),
    code: codeName(notice.code),
    message: shortened(notice.message),
  };
}

function shortened(text: string): string {
  return text.length <= messageLengthMax ? text : `${text.slice(0, messageLengthMax - 1)}…`;
}
