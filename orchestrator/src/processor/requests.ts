import { hash as digest } from "node:crypto";
import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { partitionOf } from "../../../proto/wire/layout.ts";
import { fromHex, toHex } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { Exhausted, Requested, RunRequest, Unavailable, Unknown } from "./front.ts";
import { openLanes } from "./lanes.ts";
import type { Written } from "./ports.ts";
import { isVoid, nextRunId } from "./start.ts";
import type { StartGround } from "./start.ts";
import { theFold, waitFor } from "./wait.ts";
import type { WaitGround } from "./wait.ts";

export type RequestGround = Pick<StartGround, "layouts" | "logOf" | "randomBytes" | "now" | "backlog" | "backlogMax"> &
  WaitGround;

/** Signals of one run that may wait here to be stored. */
const signalsWaitingMax = 1_000;
const retryAfterMs = 1_000;

/** What a request is told that may be stored. */
export const late: Unavailable = {
  kind: "unavailable",
  message: "nobody said in time what became of the request; it may be stored",
};

/** Stores requests of callers and waits for their effect. Signals of one run are stored in the order in which they come. */
export function toRequest(
  ground: RequestGround,
): (runId: RunId, request: RunRequest, signal: AbortSignal) => Promise<Requested | Unknown | Unavailable | Exhausted> {
  const lanes = openLanes<RunId>(signalsWaitingMax);
  return async (runId, request, signal) => {
    const { layouts, logOf } = ground;
    const partition = partitionOf(layouts, runId);
    if (partition === undefined) return { kind: "unknown" };
    if (request.kind === "signal" && (ground.backlog(partition) ?? 0) > ground.backlogMax)
      return { kind: "exhausted", retryAfterMs };
    const { id, event } = toEvent(ground, runId, request);
    const store = async (): Promise<Written | Unknown> => {
      const first = await logOf(partition).firstEvent(runId);
      if (first === undefined || isVoid(first)) return { kind: "unknown" };
      return logOf(partition).append(runId, id, event, { signal });
    };
    const written = request.kind === "signal" ? await lanes(runId, store) : await store();
    if (written === "full") return { kind: "exhausted", retryAfterMs };
    if (written.kind === "unknown") return written;
    if (written.kind !== "stored") return late;
    const waited = await waitFor(ground, runId, theFold(written.sequence), signal);
    if (waited === "aborted") return late;
    switch (waited.$case) {
      case "folded":
        return { kind: "done", ...waited.value };
      case "unknown":
        return { kind: "unknown" };
      case "ended":
      case "yields":
        return late;
    }
  };
}

function toEvent(
  ground: RequestGround,
  runId: RunId,
  request: RunRequest,
): { readonly id: string; readonly event: Uint8Array } {
  const given = request.event.requestId;
  const requestId = given === "" ? toHex(ground.randomBytes(16)) : given;
  const event = Event.encode({ kind: kindOf(ground, request, requestId) }).finish();
  return { id: `${runId}/${request.kind === "signal" ? "signal" : "request"}/${idToken(requestId)}`, event };
}

function kindOf(ground: RequestGround, request: RunRequest, requestId: string): NonNullable<Event["kind"]> {
  switch (request.kind) {
    case "cancel":
      return { $case: "cancelRequested", value: { ...request.event, requestId } };
    case "terminate":
      return { $case: "terminateRequested", value: { ...request.event, requestId } };
    case "retry":
      return { $case: "retryRequested", value: { ...request.event, requestId } };
    case "fail":
      return { $case: "failRequested", value: { ...request.event, requestId } };
    case "skip":
      return { $case: "skipRequested", value: { ...request.event, requestId } };
    case "patch":
      return { $case: "patchRequested", value: { ...request.event, requestId } };
    case "compensate":
      return { $case: "compensateRequested", value: { ...request.event, requestId } };
    case "pause":
      return { $case: "pauseRequested", value: { ...request.event, requestId } };
    case "resume":
      return { $case: "resumeRequested", value: { ...request.event, requestId } };
    case "delete":
      return { $case: "deleteRequested", value: { ...request.event, requestId } };
    case "rerun":
      return { $case: "rerunRequested", value: { ...request.event, requestId, runId: fromHex(nextRunId(ground)) } };
    case "decide":
      return { $case: "decisionMade", value: { ...request.event, requestId } };
    case "signal": {
      const { name, payload, actor } = request.event;
      return { $case: "signalReceived", value: { name, payload, actor, id: requestId } };
    }
  }
}

/** A caller's id as part of a message id: whatever it is made of, it ends no header line. */
function idToken(id: string): string {
  return /^[\w.:-]{1,64}$/.test(id) ? id : digest("sha256", id);
}
