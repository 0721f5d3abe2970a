import type { IncomingMessage, ServerResponse } from "node:http";
import { gunzipSync } from "node:zlib";
import { code } from "../../../proto/wire/status.ts";
import { answerJson } from "./answers.ts";
import type { Bodies } from "./body.ts";
import { httpError, toHttpError } from "./httpError.ts";
import { callHeaders } from "./jsonRpc.ts";
import type { RpcDoor } from "./rpcDoor.ts";
import { toRegistry } from "../../../proto/json/registry.ts";

/** Where OTLP over HTTP arrives. */
export const otlpPath = "/v1/traces";
const exportRpc = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const bodyBytesMax = 16 * 1024 * 1024;

/** Answers an export of spans as protobuf; it is the rpc of OTLP, with its gates. Never rejects. */
export async function answerOtlp(
  request: IncomingMessage,
  response: ServerResponse,
  { door, bodies }: { readonly door: Pick<RpcDoor, "find">; readonly bodies: Bodies },
): Promise<void> {
  const refuse = (number: number, message: string, status?: number): void => {
    const error = httpError(number, message, status);
    answerJson(response, error.status, error.body);
  };
  const rpc = door.find(exportRpc);
  if (rpc === undefined || rpc.kind !== "unary")
    return refuse(code.NOT_FOUND, "no traces are kept here: the orchestrator has no --traces-kept");
  if (request.method !== "POST") return refuse(code.UNIMPLEMENTED, "POST is expected", 405);
  const type = (request.headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/x-protobuf")
    return refuse(code.INVALID_ARGUMENT, "application/x-protobuf is expected: OTLP as http/protobuf, or by gRPC", 415);
  const body = await bodies.read(request, bodyBytesMax);
  if (body.kind !== "body") return refuse(code.RESOURCE_EXHAUSTED, "the export is too large, or too many come at once");
  let bytes: Uint8Array = body.bytes;
  try {
    if (request.headers["content-encoding"] === "gzip") bytes = gunzipSync(bytes, { maxOutputLength: bodyBytesMax });
  } catch {
    return refuse(code.INVALID_ARGUMENT, "the export is no gzip, or too large");
  }
  const about = { headers: callHeaders(request), timeoutMs: undefined, certificate: undefined };
  rpc.call(bytes, about, {
    headers: () => undefined,
    message: () => Promise.resolve(),
    end: (end) => {
      if (end.code === code.OK)
        return void response.writeHead(200, { "content-type": type, "content-length": 0 }).end();
      const error = toHttpError(end, toRegistry());
      answerJson(response, error.status, error.body);
    },
  });
}
