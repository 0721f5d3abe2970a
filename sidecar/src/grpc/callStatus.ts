import { pushbackTrailer, statusDetailsTrailer } from "../../../proto/wire/headers.ts";
import { code } from "../../../proto/wire/status.ts";

/** What the service said at the end of a call. */
export type CallStatus = {
  readonly code: number;
  readonly message: string;
  readonly details: Uint8Array;
  readonly pushback: string | undefined;
};

/** The status in a block of headers or trailers; undefined when there is none. */
export function parseCallStatus(fields: ReadonlyMap<string, string>): CallStatus | undefined {
  const number = fields.get("grpc-status");
  if (number === undefined) return undefined;
  if (number === "0") return ok;
  const details = fields.get(statusDetailsTrailer);
  return {
    code: /^\d{1,3}$/.test(number) ? Number(number) : code.UNKNOWN,
    message: unescaped(fields.get("grpc-message") ?? ""),
    details: details === undefined ? new Uint8Array() : Buffer.from(details.split(",", 1)[0] ?? "", "base64"),
    pushback: fields.get(pushbackTrailer),
  };
}

const ok: CallStatus = { code: code.OK, message: "", details: new Uint8Array(), pushback: undefined };

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

function unescaped(text: string): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
