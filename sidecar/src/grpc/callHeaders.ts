import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http2";
import { pushbackTrailer, statusDetailsTrailer } from "../../../proto/wire/headers.ts";
import { code } from "../../../proto/wire/status.ts";
import type { CallRequest } from "../ports.ts";

const decoder = new TextDecoder();
const keyForm = /^[0-9a-z_.-]+$/;
const textForm = /^[ -~]*$/;
const timeoutDigitsMax = 99_999_999;

/** The headers of a call. Throws when one of the task's can't be sent. */
export function toCallHeaders(request: CallRequest, scheme: "http" | "https", authority: string): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {
    ":method": "POST",
    ":scheme": scheme,
    ":authority": authority,
    ":path": `/${request.method}`,
    te: "trailers",
    "content-type": "application/grpc",
    "user-agent": "sidestep-sidecar",
    "grpc-accept-encoding": "identity",
  };
  if (request.timeoutMs > 0) {
    const { timeoutMs } = request;
    headers["grpc-timeout"] = timeoutMs > timeoutDigitsMax ? `${Math.ceil(timeoutMs / 1_000)}S` : `${timeoutMs}m`;
  }
  for (const { key, value } of request.headers) {
    const name = key.toLowerCase();
    if (!keyForm.test(name)) throw new Error(`${JSON.stringify(key)} is no name of a header`);
    const text = name.endsWith("-bin") ? toBase64(value) : decoder.decode(value);
    if (!textForm.test(text))
      throw new Error(`the value of ${name} is not printable ASCII; only names that end in -bin carry other bytes`);
    const before = headers[name];
    headers[name] = before === undefined ? text : Array.isArray(before) ? [...before, text] : [String(before), text];
  }
  return headers;
}

/** What the service said at the end of a call. */
export type CallStatus = {
  readonly code: number;
  readonly message: string;
  readonly details: Uint8Array;
  readonly pushback: string | undefined;
};

/** The status in a block of headers or trailers; undefined when there is none. */
export function parseCallStatus(headers: IncomingHttpHeaders): CallStatus | undefined {
  const number = one(headers["grpc-status"]);
  if (number === undefined) return undefined;
  const details = one(headers[statusDetailsTrailer]);
  return {
    code: /^\d{1,3}$/.test(number) ? Number(number) : code.UNKNOWN,
    message: unescaped(one(headers["grpc-message"]) ?? ""),
    details: details === undefined ? new Uint8Array() : Buffer.from(details.split(",", 1)[0] ?? "", "base64"),
    pushback: one(headers[pushbackTrailer]),
  };
}

/** What an HTTP status without a gRPC one means: something answered that is no gRPC server, such as a proxy. */
export function httpStatus(status: number): CallStatus {
  const number = codesOfHttp.get(status) ?? code.UNKNOWN;
  return {
    code: number,
    message: `HTTP status ${status} instead of a gRPC answer`,
    details: new Uint8Array(),
    pushback: undefined,
  };
}

const codesOfHttp: ReadonlyMap<number, number> = new Map([
  [400, code.INTERNAL],
  [401, code.UNAUTHENTICATED],
  [403, code.PERMISSION_DENIED],
  [404, code.UNIMPLEMENTED],
  [429, code.UNAVAILABLE],
  [502, code.UNAVAILABLE],
  [503, code.UNAVAILABLE],
  [504, code.UNAVAILABLE],
]);

function one(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.[0];
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64");
}
