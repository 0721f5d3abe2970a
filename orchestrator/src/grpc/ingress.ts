import { Metadata } from "@grpc/grpc-js";
import type { sendUnaryData, Server, ServerUnaryCall } from "@grpc/grpc-js";
import type { TraceStart } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { idempotencyKeyHeader, runIdHeader, traceparentHeader, tracestateHeader } from "../../../proto/wire/headers.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { Definitions } from "../processor/definitions.ts";
import type { Front } from "../processor/front.ts";
import { refusalFailure, runNotFound, thrownFailure, tooLarge, toServiceError, workflowNotFound } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { toAnswer } from "./runEnd.ts";

/** What an ingress needs. */
export interface IngressOptions {
  readonly front: Front;
  readonly definitions: Definitions;
  /** Larger requests are refused before anything is written. */
  readonly requestBytesMax: number;
  /** Which trace shows a run of that id, for a caller with these headers. */
  readonly traceOf: (runId: RunId, caller: CallerTrace) => TraceStart;
  /** Aborts when waiting callers have to be sent away; their runs go on. */
  readonly closing: AbortSignal;
  readonly log: Log;
}

export interface CallerTrace {
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
}

/** A start that is not durable by then is answered UNAVAILABLE. */
const startTimeoutMs = 10_000;

/** Serves each active workflow rpc of the definitions on the server, and stops serving what was retired, while it runs. */
export function serveWorkflows(server: Server, options: IngressOptions): () => void {
  const served = new Set<string>();
  const follow = (): void => {
    const active = new Set(
      options.definitions.list().flatMap((one) => (one.activeVersion === 0 ? [] : [one.workflow])),
    );
    for (const workflow of served) {
      if (active.has(workflow)) continue;
      server.unregister(`/${workflow}`);
      served.delete(workflow);
      options.log.info("a workflow is served no more", { workflow });
    }
    for (const workflow of active) {
      if (served.has(workflow)) continue;
      // Bytes stay bytes: what the caller sent is what the log gets.
      server.register(`/${workflow}`, toUnary(workflow, options), same, same, "unary");
      served.add(workflow);
      options.log.info("a workflow is served", { workflow });
    }
  };
  follow();
  return options.definitions.onChange(follow);
}

type Call = ServerUnaryCall<Buffer, Buffer>;

function toUnary(workflow: string, options: IngressOptions): (call: Call, answer: sendUnaryData<Buffer>) => void {
  return (call, answer) => {
    runToEnd(workflow, call, options).then(
      (end) =>
        end === undefined
          ? undefined
          : end instanceof Uint8Array
            ? answer(null, toBuffer(end))
            : answer(toServiceError(end)),
      (error: unknown) => {
        const failure = thrownFailure(error);
        if (failure.code === code.INTERNAL) options.log.error("a call failed by a bug", { workflow, error });
        answer(toServiceError(failure));
      },
    );
  };
}

/** The response, a failure, or undefined when nobody listens any more. */
async function runToEnd(
  workflow: string,
  call: Call,
  options: IngressOptions,
): Promise<Uint8Array | Failure | undefined> {
  if (call.request.length > options.requestBytesMax) return tooLarge(call.request.length, options.requestBytesMax);
  const active = await options.definitions.active(workflow);
  if (active === undefined) return workflowNotFound(workflow);
  const started = await withTimeout(startBudgetMs(call), (signal) =>
    options.front.start(
      {
        active,
        request: call.request,
        metadata: named(call.metadata, active.plan.plan.metadata),
        idempotencyKey: header(call.metadata, idempotencyKeyHeader),
        trace: (runId) => options.traceOf(runId, callerTrace(call.metadata)),
        actor: "",
      },
      signal,
    ),
  );
  if (started.kind !== "started" && started.kind !== "joined") return refusalFailure(started);
  const { runId } = started;
  if (call.cancelled) return undefined;
  call.sendMetadata(runIdMetadata(runId));
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  call.on("cancelled", leave);
  options.closing.addEventListener("abort", leave);
  try {
    const waited = await options.front.wait(runId, gone.signal);
    switch (waited.kind) {
      case "ended": {
        const end = toAnswer(runId, waited.ended);
        return end.kind === "response" ? end.bytes : end.failure;
      }
      case "unknown":
        return runNotFound(runId);
      case "aborted":
        return call.cancelled ? undefined : closingFailure(runId);
    }
  } finally {
    options.closing.removeEventListener("abort", leave);
  }
}

function closingFailure(runId: string): Failure {
  return {
    code: code.UNAVAILABLE,
    message: `this orchestrator shuts down; the run ${runId} goes on: call again with the same key, or wait with sidestep.v1.Runs/Wait`,
    reason: "SHUTTING_DOWN",
    metadata: { run_id: runId },
  };
}

/** Enough of the call's time is left to say UNAVAILABLE before its deadline does. */
function startBudgetMs(call: Call): number {
  const deadline = call.getDeadline();
  const leftMs = Number(deadline) - Date.now();
  return Math.max(1, Math.min(startTimeoutMs, leftMs - Math.min(500, leftMs / 4)));
}

async function withTimeout<T>(timeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), timeoutMs);
  try {
    return await work(late.signal);
  } finally {
    clearTimeout(timer);
  }
}

function runIdMetadata(runId: string): Metadata {
  const metadata = new Metadata();
  metadata.set(runIdHeader, runId);
  return metadata;
}

function named(metadata: Metadata, names: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const name of names) {
    const value = header(metadata, name);
    if (value !== undefined) found.set(name, value);
  }
  return found;
}

/** The caller's trace headers. */
export function callerTrace(metadata: Metadata): CallerTrace {
  return { traceparent: header(metadata, traceparentHeader), tracestate: header(metadata, tracestateHeader) };
}

/** A text header of the caller; undefined when it is absent or binary. */
export function header(metadata: Metadata, name: string): string | undefined {
  const value = metadata.get(name)[0];
  return typeof value === "string" ? value : undefined;
}

function same(bytes: Buffer): Buffer {
  return bytes;
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
