import type { Any } from "../../../proto/gen/google/protobuf/any.ts";
import { ErrorInfo, RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { errorDomain } from "../../../proto/wire/headers.ts";
import { code } from "../../../proto/wire/status.ts";
import type { Failure } from "./live.ts";

/** Reasons of failures that the engine itself finds; `reason` of their google.rpc.ErrorInfo, each with an entry in docs/errors.md. */
export type Reason =
  | "EXPRESSION"
  | "PAYLOAD_TOO_LARGE"
  | "TOO_MANY_STEPS"
  | "STEP_TIMEOUT"
  | "RUN_TIMEOUT"
  | "ITEMS_LIMIT"
  | "LOOP_LIMIT"
  | "COMMAND_REJECTED"
  | "IN_DOUBT"
  | "NO_OUTCOME"
  | "SIGNAL_TIMEOUT"
  | "APPROVAL_TIMEOUT"
  | "REJECTED"
  | "NO_APPROVERS"
  | "SUBJECT"
  | "LOCK_NAME"
  | "EMPTY_KEY";

/** A status without details. */
export function toStatus(number: number, message: string): RpcStatus {
  return { code: number, message, details: [] };
}

/** A failure that the engine found at a step; says so in an ErrorInfo. */
export function toFailure(runId: string, step: string, number: number, reason: Reason, message: string): Failure {
  return { status: { code: number, message, details: [toErrorInfo(runId, step, reason)] }, step };
}

/** google.rpc.ErrorInfo of ours. */
export function toErrorInfo(runId: string, step: string, reason: string): Any {
  const metadata: Record<string, string> = { run_id: runId };
  if (step !== "") metadata["step"] = step;
  return toAny("google.rpc.ErrorInfo", ErrorInfo.encode({ reason, domain: errorDomain, metadata }).finish());
}

/** A message of a full type name as a google.protobuf.Any. */
export function toAny(type: string, value: Uint8Array): Any {
  return { typeUrl: `type.googleapis.com/${type}`, value };
}

/** The details that a service sent in its trailer; none when that is not a google.rpc.Status. */
export function parseDetails(trailer: Uint8Array): readonly Any[] {
  if (trailer.length === 0) return [];
  try {
    return RpcStatus.decode(trailer).details;
  } catch {
    return [];
  }
}

/** An expression failed at run time: its step fails and is not tried again. */
export function expressionFailure(runId: string, step: string, place: string, message: string): Failure {
  return toFailure(runId, step, code.INTERNAL, "EXPRESSION", `${place === "" ? "expression" : place}: ${message}`);
}
