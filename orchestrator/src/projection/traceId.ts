import type { RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { toHex } from "../../../proto/wire/runId.ts";

/** The trace that a run belongs to: its caller's, or its own, which has the run's id. 32 hex digits. */
export function traceIdOf({
  runId,
  started,
}: {
  readonly runId: string;
  readonly started: RunStarted | undefined;
}): string {
  return started?.trace?.traceId.length === 16 ? toHex(started.trace.traceId) : runId;
}
