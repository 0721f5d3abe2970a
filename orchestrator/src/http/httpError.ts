import { toJson, fromBinary } from "@bufbuild/protobuf";
import type { JsonValue, Registry } from "@bufbuild/protobuf";
import { redactJson } from "../../../proto/json/redacted.ts";
import { withUnknownTypes } from "../../../proto/json/registry.ts";
import type { Packed, RpcEnd } from "./rpcDoor.ts";

/** An error as it is told over HTTP: Connect's names, Connect's statuses. */
export interface HttpError {
  readonly status: number;
  readonly body: { readonly code: string; readonly message: string; readonly details?: readonly JsonValue[] };
}

/** By the numbers of google.rpc.Code. https://connectrpc.com/docs/protocol#error-codes */
const told: readonly (readonly [status: number, name: string])[] = [
  [200, "ok"],
  [499, "canceled"],
  [500, "unknown"],
  [400, "invalid_argument"],
  [504, "deadline_exceeded"],
  [404, "not_found"],
  [409, "already_exists"],
  [403, "permission_denied"],
  [429, "resource_exhausted"],
  [400, "failed_precondition"],
  [409, "aborted"],
  [400, "out_of_range"],
  [501, "unimplemented"],
  [500, "internal"],
  [503, "unavailable"],
  [500, "data_loss"],
  [401, "unauthenticated"],
];

/** An end that is not OK, with its details shown as far as their types are known. */
export function toHttpError({ code, message, details }: RpcEnd, registry: Registry): HttpError {
  const [status, name] = told[code] ?? [500, "unknown"];
  const shown = details.map((detail) => toDetail(detail, registry));
  return { status, body: { code: name, message, ...(shown.length === 0 ? {} : { details: shown }) } };
}

/** An error of ours, before any rpc was called. */
export function httpError(code: number, message: string, status?: number): HttpError {
  const [usual, name] = told[code] ?? [500, "unknown"];
  return { status: status ?? usual, body: { code: name, message } };
}

function toDetail({ typeUrl, value }: Packed, registry: Registry): JsonValue {
  const type = typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
  const detail = { type, value: Buffer.from(value).toString("base64").replace(/=+$/, "") };
  const message = registry.getMessage(type);
  if (message === undefined) return detail;
  try {
    const json = toJson(message, fromBinary(message, value), { registry: withUnknownTypes(registry) });
    return { ...detail, debug: redactJson(registry, message, json) };
  } catch {
    // What is no such message, or has no JSON form, is told by its bytes.
    return detail;
  }
}
