import { Metadata } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import type { Any } from "../../../proto/gen/google/protobuf/any.ts";
import { ErrorInfo, RetryInfo, RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { errorDomain, statusDetailsTrailer } from "../../../proto/wire/headers.ts";
import { code } from "../../../proto/wire/status.ts";
import { DefinitionStoreError } from "../processor/definitionStore.ts";
import type { Exhausted, Refusal, Unavailable, Unknown } from "../processor/front.ts";
import { RunStoreError } from "../processor/runStore.ts";
import { toDuration } from "./time.ts";

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

/** Clients refuse trailers over 8 KiB, and then tell their users nothing at all; base64 adds a third. */
const statusBytesMax = 4_000;
/** As grpc-message is written, three characters for each byte that is not ASCII. */
const messageLengthMax = 1_500;

/** The failure as grpc-js takes it: code, message and grpc-status-details-bin. Details that no trailer can carry are left out, and counted. */
export function toServiceError(failure: Failure): Partial<ServiceError> {
  const message = shortened(failure.message);
  const whole = encodeStatus(failure, message, failure.details ?? [], failure.metadata ?? {});
  const leftOut = { ...failure.metadata, details_left_out: String(failure.details?.length ?? 0) };
  const status = whole.length <= statusBytesMax ? whole : encodeStatus(failure, message, [], leftOut);
  const metadata = new Metadata();
  metadata.set(statusDetailsTrailer, Buffer.from(status));
  return { code: failure.code, details: message, metadata };
}

function encodeStatus(
  { code: number, reason, retryAfterMs }: Failure,
  message: string,
  foreign: readonly Any[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const details = [
    ...foreign,
    packed("ErrorInfo", ErrorInfo.encode({ reason, domain: errorDomain, metadata }).finish()),
  ];
  if (retryAfterMs !== undefined) {
    details.push(packed("RetryInfo", RetryInfo.encode({ retryDelay: toDuration(retryAfterMs) }).finish()));
  }
  return RpcStatus.encode({ code: number, message, details }).finish();
}

function shortened(message: string): string {
  let length = 0;
  let kept = "";
  for (const character of message) {
    length += character < "\u007f" ? 1 : 3 * Buffer.byteLength(character);
    if (length > messageLengthMax) return `${kept} ...`;
    kept += character;
  }
  return message;
}

/** What the caller is told when a run was not started or not reached. */
export function refusalFailure(refusal: Refusal): Failure {
  switch (refusal.kind) {
    case "invalid":
      return invalid(refusal);
    case "tooLarge":
      return tooLarge(refusal.sizeBytes, refusal.limitBytes, "request-bytes-max");
    case "conflict":
      return {
        code: code.ALREADY_EXISTS,
        message: `the key belongs to run ${refusal.runId}, which was started with another request`,
        reason: "KEY_HELD",
        metadata: { run_id: refusal.runId },
      };
    case "exhausted":
      return {
        code: code.RESOURCE_EXHAUSTED,
        message:
          refusal.of === "starts"
            ? "too many starts wait to become durable (--starts-max); try again later"
            : "too many events wait to be folded (--backlog-max); try again later",
        reason: "BACKLOG",
        retryAfterMs: refusal.retryAfterMs,
      };
    case "unavailable":
      return { code: code.UNAVAILABLE, message: refusal.message, reason: "LOG_UNAVAILABLE" };
  }
}

function invalid({ message, over }: Extract<Refusal, { readonly kind: "invalid" }>): Failure {
  if (over === undefined) return { code: code.INVALID_ARGUMENT, message, reason: "INVALID_REQUEST" };
  const metadata = { limit: over.limit, length: String(over.length), max: String(over.max) };
  return { code: code.INVALID_ARGUMENT, message, reason: "TOO_LONG", metadata };
}

/** A request over the limit that a setting gives. */
export function tooLarge(sizeBytes: number, limitBytes: number, limit = "payload-bytes-max"): Failure {
  return {
    code: code.RESOURCE_EXHAUSTED,
    message: `the request has ${sizeBytes} bytes, at most ${limitBytes} are taken (--${limit})`,
    reason: "TOO_LARGE",
    metadata: { limit, size_bytes: String(sizeBytes), limit_bytes: String(limitBytes) },
  };
}

/** No run of that id. */
export function runNotFound(runId: string): Failure {
  return {
    code: code.NOT_FOUND,
    message: `no run has the id ${runId}, or it ended so long ago that it was deleted`,
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

/** What can't be answered: the run is unknown, its log can't be reached, or too much waits there. */
export function absenceFailure(runId: string, absence: Unknown | Unavailable | Exhausted): Failure {
  return absence.kind === "unknown" ? runNotFound(runId) : refusalFailure(absence);
}

/** A failure thrown by what a call needed: the store of definitions is away, or a bug of ours. */
export function thrownFailure(error: unknown): Failure {
  if (error instanceof DefinitionStoreError) {
    return { code: code.UNAVAILABLE, message: error.message, reason: "DEFINITIONS_UNAVAILABLE" };
  }
  if (error instanceof RunStoreError) {
    const message = `the index of runs does not answer now; runs go on, and Get and History work: ${error.message}`;
    return { code: code.UNAVAILABLE, message, reason: "INDEX_UNAVAILABLE" };
  }
  return {
    code: code.INTERNAL,
    message: `the orchestrator failed: ${error instanceof Error ? error.message : String(error)}`,
    reason: "INTERNAL",
  };
}

function packed(type: string, value: Uint8Array): Any {
  return { typeUrl: `type.googleapis.com/google.rpc.${type}`, value };
}

/** `reason` of our ErrorInfo in what grpc-js gives to a caller; empty: it has none. */
export function reasonOf({ metadata }: Partial<ServiceError>): string {
  const trailer = metadata?.get(statusDetailsTrailer)[0];
  if (!(trailer instanceof Uint8Array)) return "";
  const infos = RpcStatus.decode(trailer)
    .details.filter(({ typeUrl }) => typeUrl.endsWith("/google.rpc.ErrorInfo"))
    .map(({ value }) => ErrorInfo.decode(value));
  return infos.find(({ domain }) => domain === errorDomain)?.reason ?? "";
}
