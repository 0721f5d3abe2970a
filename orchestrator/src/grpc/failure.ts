import { Metadata } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import type { Any } from "../../../proto/gen/google/protobuf/any.ts";
import { ErrorInfo, RetryInfo, RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { errorDomain, statusDetailsTrailer } from "../../../proto/wire/headers.ts";
import { code } from "../../../proto/wire/status.ts";
import { DefinitionStoreError } from "../processor/definitionStore.ts";
import type { Refusal, Unknown } from "../processor/front.ts";

/** An answer that is not OK, before it is put on the wire. `reason` stands in docs/errors.md. */
export interface Failure {
  /** Number of google.rpc.Code. */
  readonly code: number;
  readonly message: string;
  /** `reason` of the ErrorInfo of domain "sidestep". */
  readonly reason: string;
  /** `metadata` of that ErrorInfo. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Come before the ErrorInfo, unchanged. */
  readonly details?: readonly Any[];
  readonly retryAfterMs?: number;
}

/** The failure as grpc-js takes it: code, message and grpc-status-details-bin. */
export function toServiceError(failure: Failure): Partial<ServiceError> {
  const details = [...(failure.details ?? []), packed("ErrorInfo", ErrorInfo.encode(toErrorInfo(failure)).finish())];
  if (failure.retryAfterMs !== undefined) {
    details.push(packed("RetryInfo", RetryInfo.encode({ retryDelay: toDuration(failure.retryAfterMs) }).finish()));
  }
  const status = RpcStatus.encode({ code: failure.code, message: failure.message, details }).finish();
  const metadata = new Metadata();
  metadata.set(statusDetailsTrailer, Buffer.from(status));
  return { code: failure.code, details: failure.message, metadata };
}

/** What the caller is told when a run was not started or not reached. */
export function refusalFailure(refusal: Refusal): Failure {
  switch (refusal.kind) {
    case "invalid":
      return { code: code.INVALID_ARGUMENT, message: refusal.message, reason: "INVALID_REQUEST" };
    case "tooLarge":
      return tooLarge(refusal.sizeBytes, refusal.limitBytes);
    case "conflict":
      return {
        code: code.ALREADY_EXISTS,
        message: "the key belongs to a run that was started with another request",
        reason: "KEY_HELD",
        metadata: { run_id: refusal.runId },
      };
    case "exhausted":
      return {
        code: code.RESOURCE_EXHAUSTED,
        message: "too many events wait to be folded; try again later",
        reason: "BACKLOG",
        retryAfterMs: refusal.retryAfterMs,
      };
    case "unavailable":
      return { code: code.UNAVAILABLE, message: refusal.message, reason: "LOG_UNAVAILABLE" };
  }
}

/** A request over the limit. */
export function tooLarge(sizeBytes: number, limitBytes: number): Failure {
  return {
    code: code.RESOURCE_EXHAUSTED,
    message: `the request has ${sizeBytes} bytes, at most ${limitBytes} are taken`,
    reason: "TOO_LARGE",
    metadata: { size_bytes: String(sizeBytes), limit_bytes: String(limitBytes) },
  };
}

/** No run of that id. */
export function runNotFound(runId: string): Failure {
  return {
    code: code.NOT_FOUND,
    message: `no run has the id ${runId}`,
    reason: "RUN_NOT_FOUND",
    metadata: { run_id: runId },
  };
}

/** Never deployed, or retired. */
export function workflowNotFound(workflow: string): Failure {
  return {
    code: code.NOT_FOUND,
    message: `no workflow ${workflow} is deployed`,
    reason: "WORKFLOW_NOT_FOUND",
    metadata: { workflow },
  };
}

/** What can't be answered: the run is unknown, or its log can't be reached. */
export function absenceFailure(
  runId: string,
  absence: Unknown | Extract<Refusal, { readonly kind: "unavailable" }>,
): Failure {
  return absence.kind === "unknown" ? runNotFound(runId) : refusalFailure(absence);
}

/** A failure thrown by what a call needed: the store of definitions is away, or a bug of ours. */
export function thrownFailure(error: unknown): Failure {
  if (error instanceof DefinitionStoreError) {
    return { code: code.UNAVAILABLE, message: error.message, reason: "DEFINITIONS_UNAVAILABLE" };
  }
  return {
    code: code.INTERNAL,
    message: `the orchestrator failed: ${error instanceof Error ? error.message : String(error)}`,
    reason: "INTERNAL",
  };
}

function toErrorInfo({ reason, metadata = {} }: Failure): ErrorInfo {
  return { reason, domain: errorDomain, metadata };
}

function packed(type: string, value: Uint8Array): Any {
  return { typeUrl: `type.googleapis.com/google.rpc.${type}`, value };
}

function toDuration(ms: number): { readonly seconds: bigint; readonly nanos: number } {
  const seconds = Math.floor(ms / 1000);
  return { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1000) * 1e6) };
}
