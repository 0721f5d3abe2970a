import type { ServerWritableStream } from "@grpc/grpc-js";
import { Run } from "../../../proto/gen/sidestep/v1/run.ts";
import type { WatchRunRequest, WatchRunResponse } from "../../../proto/gen/sidestep/v1/runs.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import { pause } from "../../../runtime/src/pause.ts";
import { absenceFailure, toServiceError } from "./failure.ts";
import type { Failure } from "./failure.ts";
import type { IngressOptions } from "./starting.ts";
import { newWriter } from "./streaming.ts";

/** What comes within this time of a change is told with it. */
const settleMs = 100;
/** What is not in the log (sidecars that come and go) is looked at anew. */
const lookAgainMs = 5_000;

/** What watching needs of the rest. */
export interface WatchOptions extends Pick<IngressOptions, "front" | "closing"> {
  /** The run as it is shown, with what the sidecars offer. */
  readonly shown: (run: Run) => Run;
  /** A run that the log has no more. */
  readonly archived: (runId: RunId) => Promise<Run | undefined>;
}

/** Writes the run whenever something has happened to it, until it has ended or the caller is gone. */
export async function watch(
  call: ServerWritableStream<WatchRunRequest, WatchRunResponse>,
  runId: RunId,
  after: number,
  options: WatchOptions,
): Promise<void> {
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  call.on("cancelled", leave);
  const forget = options.closing.onClose(leave);
  try {
    const failure = await tell(call, runId, after, gone.signal, options);
    if (call.cancelled) return;
    if (failure === undefined) call.end();
    else call.emit("error", toServiceError(failure));
  } finally {
    call.off("cancelled", leave);
    forget();
  }
}

/** Tells until there is no more to tell; what the stream ends with. */
async function tell(
  call: ServerWritableStream<WatchRunRequest, WatchRunResponse>,
  runId: RunId,
  after: number,
  signal: AbortSignal,
  { front, shown, archived }: WatchOptions,
): Promise<Failure | undefined> {
  const write = newWriter(call, signal);
  let seen = after;
  let last: Uint8Array | undefined;
  while (!signal.aborted) {
    const got = await front.get(runId);
    if (got.kind !== "run") {
      const kept = got.kind === "unknown" ? await archived(runId) : undefined;
      if (kept === undefined) return absenceFailure(runId, got);
      await write({ run: kept, sequence: BigInt(seen) }, Run.encode(kept).finish().length);
      return undefined;
    }
    const run = shown(got.run);
    const bytes = Run.encode(run).finish();
    if (last === undefined ? got.sequence > after : !equal(bytes, last))
      await write({ run, sequence: BigInt(got.sequence) }, bytes.length);
    last = bytes;
    if (run.endedAt !== undefined) return undefined;
    seen = Math.max(seen, got.sequence);
    const changed = await front.changed(runId, seen, AbortSignal.any([signal, AbortSignal.timeout(lookAgainMs)]));
    // A record that was set aside is folded, and tells nothing.
    if (changed.kind === "changed") seen += 1;
    if (changed.kind !== "aborted") await pause(settleMs, signal);
  }
  return {
    code: code.UNAVAILABLE,
    message: `this orchestrator shuts down; the run ${runId} goes on: watch it again from ${seen}`,
    reason: "SHUTTING_DOWN",
    metadata: { run_id: runId },
  };
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
