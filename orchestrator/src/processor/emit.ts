import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { runIdHeader, stepHeader, traceparentHeader, tracestateHeader } from "../../../proto/wire/headers.ts";
import type { EmitMessage } from "../engine/command.ts";
import { stepTraceHeaders } from "../projection/traceContext.ts";
import { sha256 } from "./credentials.ts";
import type { Ownership } from "./ownership.ts";
import type { ResidentRun } from "./residentRun.ts";
import { afterWrite, deferAfterMs, holdWhile } from "./settle.ts";
import type { Carry } from "./settle.ts";

/** Puts a message into a stream of the user's, once as far as that stream tells doubles, then says so in the run's log. */
export function emitMessage(owner: Ownership, run: ResidentRun, command: EmitMessage, { hold }: Carry): void {
  holdWhile(owner, run, hold, emit(owner, run, command, hold));
}

async function emit(
  owner: Ownership,
  run: ResidentRun,
  { at, subject, type, message }: EmitMessage,
  hold: number,
): Promise<"done" | "abandoned"> {
  const id = `${run.runId}/${at.step}/g${at.generation}`;
  const trace = stepTraceHeaders(run.runId, run.state?.started?.trace, at.step, sha256);
  const headers = [
    [runIdHeader, run.runId],
    [stepHeader, at.step],
    [traceparentHeader, trace.traceparent],
    ...(trace.tracestate === undefined ? [] : [[tracestateHeader, trace.tracestate] as const]),
  ] as const;
  const { signal } = owner;
  const stored = await owner.messages.publish({ subject, type, id, headers, data: message }, { signal, deferAfterMs });
  if (stored.kind !== "stored") return afterWrite(owner, run, hold, stored, { $case: "emit", value: at });
  const event = Event.encode({ kind: { $case: "emitted", value: { step: at } } }).finish();
  const told = await owner.log.append(run.runId, `${id}/emitted`, event, { signal });
  return afterWrite(owner, run, hold, told, undefined);
}
