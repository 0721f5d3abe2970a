import { Metadata } from "@grpc/grpc-js";
import type { sendUnaryData, Server, ServerUnaryCall } from "@grpc/grpc-js";
import { runIdHeader } from "../../../proto/wire/headers.ts";
import { code } from "../../../proto/wire/status.ts";
import { runNotFound, thrownFailure, toServiceError } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { toAnswer } from "./runEnd.ts";
import { startRun } from "./starting.ts";
import type { IngressOptions } from "./starting.ts";

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
  const { request, metadata } = call;
  const deadlineMs = Number(call.getDeadline());
  const started = await startRun({ workflow, request, metadata, idempotencyKey: undefined, deadlineMs }, options);
  if (started.kind === "failure") return started.failure;
  const { runId } = started;
  if (call.cancelled) return undefined;
  call.sendMetadata(runIdMetadata(runId));
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  call.on("cancelled", leave);
  const forget = options.closing.onClose(leave);
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

function runIdMetadata(runId: string): Metadata {
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
