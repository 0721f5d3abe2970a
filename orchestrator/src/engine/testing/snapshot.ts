import type { LoadedPlan } from "../plan.ts";
import { decodeRun } from "../snapshot/decode.ts";
import { encodeRun } from "../snapshot/encode.ts";
import type { RunState } from "../state.ts";

/** The state as another owner would have it: from its snapshot. One that has not started has none, and is given back. */
export function throughSnapshot(plan: LoadedPlan, state: RunState): RunState {
  const { started } = state;
  if (started === undefined) return state;
  const copy = decodeRun(plan, state.runId, started, encodeRun(state));
  forgetUnknownFields(state);
  forgetUnknownFields(copy);
  return copy;
}

/** Makes states comparable of which one comes from a snapshot. */
export function forgetUnknownFields(state: RunState): void {
  tidy(state, new Set());
}

/** Decoded messages say that they have no unknown fields; those made in place say nothing. */
function tidy(part: unknown, seen: Set<object>): void {
  if (typeof part !== "object" || part === null || ArrayBuffer.isView(part) || seen.has(part)) return;
  seen.add(part);
  if (part instanceof Map || part instanceof Set) {
    for (const item of part.values()) tidy(item, seen);
    return;
  }
  for (const [name, value] of Object.entries(part) as [string, unknown][]) {
    if (name === "_unknownFields") delete (part as { _unknownFields?: unknown })._unknownFields;
    else if (name !== "plan" && name !== "block") tidy(value, seen);
  }
}
