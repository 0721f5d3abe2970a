import type { Inspected } from "../processor/front.ts";
import type { ServerWritableStream } from "@grpc/grpc-js";
import { Run, StepStatus } from "../../../proto/gen/sidestep/v1/run.ts";
import { WatchRunResponse } from "../../../proto/gen/sidestep/v1/runs.ts";
import type { WatchRunRequest } from "../../../proto/gen/sidestep/v1/runs.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import { pause } from "../../../runtime/src/pause.ts";
import { absenceFailure, toServiceError } from "./failure.ts";
import type { Failure } from "./failure.ts";
import type { IngressOptions } from "./starting.ts";
import { newWriter } from "./streaming.ts";

/** What comes within this time of a change is told with it. */
const settleMs = 100;
/** Looking at a long run takes at most this part of one processor for each who watches. */
const restFactor = 5;
/** What is not in the log (sidecars that come and go) is looked at anew. */
const lookAgainMs = 5_000;

/** What watching needs of the rest. */
export interface WatchOptions extends Pick<IngressOptions, "front" | "closing"> {
  /** The run as it is shown, with what the sidecars offer. */
  readonly shown: (inspected: Pick<Inspected, "run" | "plan">) => Run;
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
  let isWhole = true;
  const changesIn = openChanges();
  while (!signal.aborted) {
    const got = await front.look(runId);
    if (got.kind !== "run") {
      const kept = got.kind === "unknown" ? await archived(runId) : undefined;
      if (kept === undefined) return absenceFailure(runId, got);
      await write({ run: kept, sequence: BigInt(seen), gone: [] }, Run.encode(kept).finish().length);
      return undefined;
    }
    const beganMs = performance.now();
    const run = shown(got);
    const changes = changesIn(run);
    const sequence = BigInt(got.sequence);
    const told: WatchRunResponse =
      call.request.changes && !isWhole
        ? { run: { ...run, steps: changes.steps, request: nothing }, sequence, gone: [...changes.gone] }
        : { run, sequence, gone: [] };
    if (changes.isFirst ? got.sequence > after : changes.isAny) {
      isWhole = false;
      await write(told, WatchRunResponse.encode(told).finish().length);
    }
    const restMs = (performance.now() - beganMs) * restFactor;
    if (run.endedAt !== undefined) return undefined;
    seen = Math.max(seen, got.sequence);
    const changed = await front.changed(runId, seen, AbortSignal.any([signal, AbortSignal.timeout(lookAgainMs)]));
    // A record that was set aside is folded, and tells nothing.
    if (changed.kind === "changed") seen += 1;
    if (changed.kind !== "aborted") await pause(Math.max(settleMs, restMs), signal);
  }
  return {
    code: code.UNAVAILABLE,
    message: `this orchestrator shuts down; the run ${runId} goes on: watch it again from ${seen}`,
    reason: "SHUTTING_DOWN",
    metadata: { run_id: runId },
  };
}

const nothing: Uint8Array = new Uint8Array();

/** What is new in a run since it was looked at last. */
interface Changes {
  readonly isFirst: boolean;
  readonly isAny: boolean;
  readonly steps: readonly StepStatus[];
  readonly gone: readonly string[];
}

/** Compares a run with how it was the last time. */
function openChanges(): (run: Run) => Changes {
  let head: Uint8Array | undefined;
  let known = new Map<string, Uint8Array>();
  return (run) => {
    const isFirst = head === undefined;
    const before = { head, known };
    head = Run.encode({ ...run, steps: [] }).finish();
    known = new Map();
    const steps = run.steps.filter((step) => {
      const name = `${step.compensation ? "undo " : ""}${step.path}`;
      const bytes = StepStatus.encode(step).finish();
      known.set(name, bytes);
      return !equal(bytes, before.known.get(name));
    });
    const gone = [...before.known.keys()].filter((name) => !known.has(name));
    return { isFirst, isAny: steps.length + gone.length > 0 || !equal(head, before.head), steps, gone };
  };
}

function equal(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && Buffer.compare(a, b) === 0;
}
