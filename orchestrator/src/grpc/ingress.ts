import { Metadata } from "@grpc/grpc-js";
import type { sendUnaryData, ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import type { DefinitionEntry } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { fromHeader, runIdHeader } from "../../../proto/wire/headers.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import { runNotFound, thrownFailure, toServiceError } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { askRun } from "./queries.ts";
import type { Rpcs } from "./rpcs.ts";
import { toAnswer } from "./runEnd.ts";
import type { Signals } from "./signals.ts";
import { header, startRun } from "./starting.ts";
import type { IngressOptions } from "./starting.ts";
import { follow, invalidOffset, parseFrom } from "./streaming.ts";

/** One rpc of the deployed contracts and what calling it does. */
interface Served {
  readonly kind: "run" | "stream" | "signal" | "query";
  readonly method: string;
  readonly workflow: string;
}

/**
 * Serves each active workflow rpc of the definitions, with the rpcs that signal and query its runs, and stops serving what
 * was retired, while it runs.
 */
export function serveWorkflows(rpcs: Rpcs, options: IngressOptions, signals: Signals): () => void {
  const served = new Map<string, string>();
  const followDefinitions = (): void => {
    const wanted = new Map(
      options.definitions.list().flatMap((entry) => rpcsOf(entry).map((rpc) => [rpc.method, rpc])),
    );
    for (const [method, name] of served) {
      const rpc = wanted.get(method);
      if (rpc !== undefined && nameOf(rpc) === name) continue;
      rpcs.remove(`/${method}`);
      served.delete(method);
      options.log.info("an rpc is served no more", { method });
    }
    for (const rpc of wanted.values()) {
      if (served.has(rpc.method)) continue;
      register(rpcs, rpc, options, signals);
      served.set(rpc.method, nameOf(rpc));
      options.log.info("an rpc is served", { method: rpc.method, workflow: rpc.workflow, kind: rpc.kind });
    }
  };
  followDefinitions();
  return options.definitions.onChange(followDefinitions);
}

function rpcsOf({
  workflow,
  activeVersion,
  streaming,
  signalMethods,
  queryMethods,
}: DefinitionEntry): readonly Served[] {
  if (activeVersion === 0) return [];
  return [
    { kind: streaming ? "stream" : "run", method: workflow, workflow },
    ...signalMethods.map((method) => ({ kind: "signal" as const, method, workflow })),
    ...queryMethods.map((method) => ({ kind: "query" as const, method, workflow })),
  ];
}

function nameOf({ kind, workflow }: Served): string {
  return `${kind} ${workflow}`;
}

/** Bytes stay bytes: what the caller sent is what the log gets. */
function register(rpcs: Rpcs, rpc: Served, options: IngressOptions, signals: Signals): void {
  const method = { path: `/${rpc.method}`, serialize: same, deserialize: same };
  if (rpc.kind === "stream") {
    const handler = (call: Streaming): void => void streamRun(rpc.workflow, call, options);
    rpcs.addStream({ ...method, handler, endsWithRun: true });
    return;
  }
  const work = (call: Call): Promise<Uint8Array | Failure | undefined> => {
    switch (rpc.kind) {
      case "signal":
        return signalRun(rpc, call, signals);
      case "query":
        return queryRun(rpc, call, options);
      case "run":
      case "stream":
        return runToEnd(rpc.workflow, call, options);
    }
  };
  rpcs.addUnary({ ...method, handler: toUnary(rpc, work, options), endsWithRun: rpc.kind === "run" });
}

type Call = ServerUnaryCall<Buffer, Buffer>;
type Streaming = ServerWritableStream<Buffer, Buffer>;

/** A grpc-js method from work that answers with bytes or a failure, or with nothing when nobody listens any more. */
function toUnary(
  { method }: Served,
  work: (call: Call) => Promise<Uint8Array | Failure | undefined>,
  options: IngressOptions,
): (call: Call, answer: sendUnaryData<Buffer>) => void {
  return (call, answer) => {
    work(call).then(
      (end) =>
        end === undefined
          ? undefined
          : end instanceof Uint8Array
            ? answer(null, toBuffer(end))
            : answer(toServiceError(end)),
      (error: unknown) => answer(toServiceError(told(error, method, options))),
    );
  };
}

function told(error: unknown, method: string, { log }: IngressOptions): Failure {
  const failure = thrownFailure(error);
  if (failure.code === code.INTERNAL) log.error("a call failed by a bug", { method, error });
  return failure;
}

async function signalRun({ method, workflow }: Served, call: Call, signals: Signals): Promise<Uint8Array | Failure> {
  const { request, metadata } = call;
  const taken = await signals.call({ method, workflow, request, metadata, deadlineMs: Number(call.getDeadline()) });
  if (taken.kind === "failure") return taken.failure;
  if (!call.cancelled) call.sendMetadata(runIdMetadata(taken.answer));
  // The response with all its fields at their defaults.
  return new Uint8Array();
}

async function queryRun(
  { method, workflow }: Served,
  call: Call,
  options: IngressOptions,
): Promise<Uint8Array | Failure> {
  const asked = await askRun(method, workflow, call.request, options);
  if (asked.kind === "failure") return asked.failure;
  if (!call.cancelled) call.sendMetadata(runIdMetadata(asked.answer.runId));
  return asked.answer.response;
}

/** Starts or joins a run and streams what it yields. */
async function streamRun(workflow: string, call: Streaming, options: IngressOptions): Promise<void> {
  try {
    const { request, metadata } = call;
    const text = header(metadata, fromHeader);
    const from = parseFrom(text);
    if (from === undefined) return refuse(call, invalidOffset(text ?? ""));
    const deadlineMs = Number(call.getDeadline());
    const started = await startRun({ workflow, request, metadata, idempotencyKey: undefined, deadlineMs }, options);
    if (started.kind === "failure") return refuse(call, started.failure);
    if (call.cancelled) return;
    await follow(call, { runId: started.runId, from, toMessage: (_number, bytes) => toBuffer(bytes) }, options);
  } catch (error) {
    refuse(call, told(error, workflow, options));
  }
}

function refuse(call: Streaming, failure: Failure): void {
  call.emit("error", toServiceError(failure));
}

/** The response, a failure, or undefined when nobody listens any more. */
async function runToEnd(
  workflow: string,
  call: Call,
  options: IngressOptions,
): Promise<Uint8Array | Failure | undefined> {
  const { request, metadata } = call;
  const deadlineMs = Number(call.getDeadline());
  const started = await startRun({ workflow, request, metadata, idempotencyKey: undefined, deadlineMs }, options);
  if (started.kind === "failure") return started.failure;
  const { runId } = started;
  if (call.cancelled) return undefined;
  call.sendMetadata(runIdMetadata(runId));
  return endOfRun(runId, call, options);
}

/** How a run ends, for a caller that waits for it; undefined when nobody listens any more. */
export async function endOfRun<Request, Response>(
  runId: RunId,
  call: ServerUnaryCall<Request, Response>,
  { front, closing }: IngressOptions,
): Promise<Uint8Array | Failure | undefined> {
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  call.on("cancelled", leave);
  const forget = closing.onClose(leave);
  try {
    const waited = await front.wait(runId, gone.signal);
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
    // grpc-js says "cancelled" of every call that is over; an abort that nobody waits for costs 10 µs.
    call.off("cancelled", leave);
    forget();
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

/** The header that names a caller's run. */
export function runIdMetadata(runId: string): Metadata {
  const metadata = new Metadata();
  metadata.set(runIdHeader, runId);
  return metadata;
}

function same(bytes: Buffer): Buffer {
  return bytes;
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
