import { code } from "../../../proto/wire/status.ts";
import type { IncomingRequest } from "../../../runtime/src/http2/serverStream.ts";
import type { Field } from "../../../runtime/src/http2/wire/hpackTable.ts";
import { parseCallTimeout } from "../../../runtime/src/grpc/callTimeout.ts";
import { failedEnd } from "../core/callEnd.ts";
import type { CallEnd } from "../core/callEnd.ts";
import type { IncomingCall } from "../wayIn.ts";

/** What the headers of a call say. */
export type CallHead =
  | {
      readonly kind: "call";
      /** "package.Service/Method" */
      readonly method: string;
      readonly timeoutMs: number | undefined;
      /** Of compressed messages. */
      readonly encoding: string;
      readonly headers: IncomingCall["headers"];
    }
  | { readonly kind: "refused"; readonly end: CallEnd }
  /** Another program than one of gRPC. */
  | { readonly kind: "foreign" };

/** Answered by the sidecar itself. */
export const healthCheck = "grpc.health.v1.Health/Check";

/** Reads the headers of a call. */
export function parseCallHead({ method: verb, path, fields }: IncomingRequest): CallHead {
  if (verb !== "POST" || !/^application\/grpc(?:\+proto)?$/.test(valueOf(fields, "content-type") ?? ""))
    return { kind: "foreign" };
  const method = /^\/([\w.]+\/\w+)$/.exec(path)?.[1];
  if (method === undefined) return refused(code.UNIMPLEMENTED, `${path} is no rpc`);
  // Who asks for reflection, or watches health, does not end its request: it would wait for ever.
  if (method.startsWith("grpc.") && method !== healthCheck)
    return refused(code.UNIMPLEMENTED, `${method} is not answered here`);
  const timeout = valueOf(fields, "grpc-timeout");
  const timeoutMs = timeout === undefined ? undefined : parseCallTimeout(timeout);
  if (timeout !== undefined && timeoutMs === undefined) return refused(code.INTERNAL, "grpc-timeout is malformed");
  const encoding = valueOf(fields, "grpc-encoding") ?? "identity";
  return { kind: "call", method, timeoutMs, encoding, headers: headersOf(fields) };
}

function refused(number: number, message: string): CallHead {
  return { kind: "refused", end: failedEnd(number, message) };
}

function valueOf(fields: readonly Field[], name: string): string | undefined {
  return fields.find((field) => field[0] === name)?.[1];
}

/** What belongs to the way here, and not to the call. */
const notOfCalls = /^(?:grpc-.*|content-.*|accept-encoding|te|user-agent|host|connection|trailer)$/;

/** Several values of a name are one with commas between; those of cookies have semicolons (RFC 9113, section 8.2.3). */
function headersOf(fields: readonly Field[]): IncomingCall["headers"] {
  const texts = new Map<string, string>();
  for (const [key, value] of fields) {
    if (notOfCalls.test(key)) continue;
    const before = texts.get(key);
    texts.set(key, before === undefined ? value : `${before}${key === "cookie" ? "; " : ", "}${value}`);
  }
  return [...texts].flatMap(([key, value]) =>
    key.endsWith("-bin")
      ? value.split(",").map((part) => ({ key, value: Buffer.from(part, "base64") }))
      : [{ key, value: Buffer.from(value, "latin1") }],
  );
}
