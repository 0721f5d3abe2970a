import { code } from "../../../proto/wire/status.ts";
import type { Draft } from "./draft.ts";
import { toFailure, toStatus } from "./failure.ts";
import type { KeptValue } from "./expression/result.ts";
import { liftHold } from "./hold.ts";
import { fitsPayload } from "./limits.ts";
import { loadedBytesMax, unloaded } from "./payload.ts";
import type { RunState } from "./state.ts";
import { terminateChildren } from "./steps/run.ts";
import { failRun, stopForward, stopStep } from "./stop.ts";

/**
 * The run will complete with this response, or with an empty one where nothing builds one, unless a person's request comes before its end.
 */
export function completeRun(draft: Draft, built: Pick<KeptValue, "bytes" | "payload"> | undefined, step: string): void {
  const { state, plan } = draft;
  if (state.verdict !== undefined) return;
  const { bytes, payload } = built ?? { bytes: unloaded };
  const { streaming } = plan.plan;
  const sizeBytes = payload?.sizeBytes ?? bytes.length;
  // A stream's messages stand in the run's state: none is kept apart.
  const isApart = payload !== undefined && !streaming;
  const fits = isApart ? sizeBytes <= loadedBytesMax : payload === undefined && fitsPayload(state, sizeBytes);
  if (!fits) {
    const allowed = isApart ? loadedBytesMax : (state.started?.limits?.payloadBytesMax ?? 0);
    const setting = isApart ? "" : " (--payload-bytes-max)";
    const message = `the response has ${sizeBytes} bytes, ${allowed} are allowed${setting}`;
    failRun(draft, toFailure(state.runId, step, code.RESOURCE_EXHAUSTED, "PAYLOAD_TOO_LARGE", message));
    return;
  }
  const response = payload === undefined ? bytes : unloaded;
  state.verdict = { kind: "completed", response, payload, isLastMessage: streaming && built !== undefined };
  stopForward(draft);
}

/** Answers false when the run is ending or being undone already. */
export function cancelRun(draft: Draft, reason: string): boolean {
  const { state } = draft;
  if (!canCancel(state)) return false;
  liftHold(draft);
  const message = reason === "" ? "the run was cancelled" : `the run was cancelled: ${reason}`;
  state.verdict = { kind: "cancelled", failure: { status: toStatus(code.CANCELLED, message), step: "" } };
  stopForward(draft);
  return true;
}

/** Is it still open whether the run completes? */
export function canCancel({ phase, verdict }: RunState): boolean {
  switch (phase) {
    case "forward":
      return true;
    case "stopping":
    case "ending":
      return verdict?.kind === "completed";
    case "unstarted":
    case "void":
    case "compensating":
    case "ended":
      return false;
  }
}

/** Ends the run at once; calls under way are reset and not awaited. Answers false when its end is decided already. */
export function terminateRun(draft: Draft, reason: string): boolean {
  const { state } = draft;
  if (!canTerminate(state)) return false;
  const message = reason === "" ? "the run was terminated" : `the run was terminated: ${reason}`;
  state.verdict = { kind: "terminated", failure: { status: toStatus(code.ABORTED, message), step: "" } };
  liftHold(draft);
  stopForward(draft);
  terminateChildren(draft);
  for (const step of state.compensations.values()) stopStep(draft, step);
  return true;
}

/** Is it still open how the run ends? */
export function canTerminate({ phase, verdict }: RunState): boolean {
  switch (phase) {
    case "forward":
    case "stopping":
    case "compensating":
      return true;
    case "ending":
      return verdict?.kind === "completed";
    case "unstarted":
    case "void":
    case "ended":
      return false;
  }
}
