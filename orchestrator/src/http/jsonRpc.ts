import type { IncomingMessage, ServerResponse } from "node:http";
import { splitMethod } from "../../../proto/wire/subjects.ts";
import { code } from "../../../proto/wire/status.ts";
import { errorText } from "../../../runtime/src/log.ts";
import { peerCertificate } from "../../../runtime/src/peerCertificate.ts";
import { answerJson, streamAnswer } from "./answers.ts";
import type { StreamedAnswer, StreamForm } from "./answers.ts";
import type { Bodies } from "./body.ts";
import type { Contracts, RpcTypes } from "./contracts.ts";
import { httpError, toHttpError } from "./httpError.ts";
import type { HttpError } from "./httpError.ts";
import { parseJson, toMessage, toShown } from "./messageJson.ts";
import { positionOf, resumedAfter } from "./resume.ts";
import type { CallableRpc, RpcAbout, RpcDoor } from "./rpcDoor.ts";
import { tokenOfCookie } from "./session.ts";

/** What JSON over HTTP needs. */
export interface JsonRpcOptions {
  readonly door: RpcDoor;
  readonly contracts: Contracts;
  readonly bodies: Bodies;
  /** Bytes of a request's JSON, by its method. */
  readonly bodyBytesMax: (method: string) => number;
}

/** "/package.Service/Method" of a request; undefined: its path is none. */
export function methodOfPath(path: string): string | undefined {
  return /^\/([A-Za-z_][\w.]*\/[A-Za-z_]\w*)$/.exec(path)?.[1];
}

/** Answers one request for an rpc. Never rejects. */
export async function answerRpc(
  method: string,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
  options: JsonRpcOptions,
): Promise<void> {
  try {
    const asked = await readAsked(method, url, request, options);
    if ("status" in asked) return answerJson(response, asked.status, asked.body, headersOf(asked));
    call(asked, response);
  } catch (error) {
    const { status, body } = httpError(code.UNAVAILABLE, `the contract can't be read now: ${errorText(error)}`);
    answerJson(response, status, body);
  }
}

/** A request that can be called. */
interface Asked {
  readonly method: string;
  readonly rpc: CallableRpc;
  readonly types: RpcTypes;
  readonly bytes: Uint8Array;
  readonly about: RpcAbout;
  readonly form: StreamForm;
  readonly isDecoded: boolean;
}

async function readAsked(
  method: string,
  url: URL,
  request: IncomingMessage,
  options: JsonRpcOptions,
): Promise<Asked | HttpError> {
  const { door, contracts } = options;
  const rpc = door.find(`/${method}`);
  if (rpc === undefined) return httpError(code.UNIMPLEMENTED, `no rpc ${method} is served here`);
  if (rpc.kind === "bidi")
    return httpError(code.UNIMPLEMENTED, `${method} is a stream in both directions: call it by gRPC`);
  const { service, name } = splitMethod(method);
  const types = await contracts.typesOf(service, name);
  if (types === undefined) return httpError(code.UNIMPLEMENTED, `the types of ${method} are not known`);
  const text = await readText(method, { isOwn: types.isOwn, kind: rpc.kind }, url, request, options);
  if (typeof text !== "string") return text;
  const parsed = parseJson(text);
  if (parsed.kind === "wrong") return httpError(code.INVALID_ARGUMENT, parsed.message);
  const json = resumedAfter(method, parsed.json, one(request.headers["last-event-id"]));
  const message = toMessage(types.method.input, json, types.registry);
  if (message.kind === "wrong") return httpError(code.INVALID_ARGUMENT, message.message);
  const timeoutMs = parseTimeout(one(request.headers["connect-timeout-ms"]));
  if (timeoutMs === "wrong")
    return httpError(code.INVALID_ARGUMENT, "connect-timeout-ms is no whole number of milliseconds");
  const about = { headers: callHeaders(request), timeoutMs, certificate: peerCertificate(request.socket) };
  const form = (request.headers.accept ?? "").includes("text/event-stream") ? "sse" : "ndjson";
  return { method, rpc, types, bytes: message.bytes, about, form, isDecoded: url.searchParams.has("decoded") };
}

/** The JSON of a request: its body, or for what only watches, as EventSource can't send one, its `message` parameter. */
async function readText(
  method: string,
  { isOwn, kind }: { readonly isOwn: boolean; readonly kind: "unary" | "stream" },
  url: URL,
  request: IncomingMessage,
  { bodies, bodyBytesMax }: JsonRpcOptions,
): Promise<string | HttpError> {
  if (request.method === "GET" && isOwn && kind === "stream") return url.searchParams.get("message") ?? "";
  if (request.method !== "POST") return httpError(code.UNIMPLEMENTED, `POST ${method} is expected`, 405);
  const type = (request.headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json")
    return httpError(code.INVALID_ARGUMENT, "content-type: application/json is expected", 415);
  if (!["", "identity"].includes(request.headers["content-encoding"] ?? ""))
    return httpError(code.INVALID_ARGUMENT, "the body may not be compressed", 415);
  const bytesMax = bodyBytesMax(method);
  const body = await bodies.read(request, bytesMax);
  switch (body.kind) {
    case "body":
      return body.bytes.toString("utf8");
    case "tooLarge":
      return httpError(code.RESOURCE_EXHAUSTED, `the body has more than ${bytesMax} bytes`, 413);
    case "busy":
      return httpError(code.RESOURCE_EXHAUSTED, "too many requests are being read; try again later");
    case "gone":
      return httpError(code.CANCELLED, "the request was not sent whole");
  }
}

/** Calls the rpc, and writes what it answers as it comes. */
function call({ method, rpc, types, bytes, about, form, isDecoded }: Asked, response: ServerResponse): void {
  let headers: ReadonlyMap<string, string> = new Map();
  let stream: StreamedAnswer | undefined;
  let answer: Uint8Array = new Uint8Array();
  const begin = (): StreamedAnswer => (stream ??= streamAnswer(response, form, headers));
  const cancel = rpc.call(bytes, about, {
    headers: (given) => {
      headers = given;
      if (rpc.kind === "stream") begin();
    },
    message: async (given) => {
      if (rpc.kind === "unary") {
        answer = given;
        return;
      }
      const json = toShown(types, given, isDecoded);
      await begin().message(json, positionOf(method, json));
    },
    end: (end) => {
      const trailers = new Map([...end.trailers].map(([name, value]) => [`trailer-${name}`, value]));
      const error = end.code === code.OK ? undefined : toHttpError(end, types.registry);
      if (rpc.kind === "stream" && (stream !== undefined || error === undefined)) return begin().end(error);
      const both = new Map([...headers, ...trailers]);
      if (error !== undefined) answerJson(response, error.status, error.body, new Map([...both, ...headersOf(error)]));
      else answerJson(response, 200, toShown(types, answer, isDecoded), both);
    },
  });
  response.on("close", () => {
    stream?.[Symbol.dispose]();
    cancel();
  });
}

/** What belongs to the way here, and not to the call. */
const notOfCalls =
  /^(host|connection|keep-alive|upgrade|te|trailer|transfer-encoding|expect|content-.*|accept.*|cookie|origin|referer|sec-.*|connect-.*|last-event-id|grpc-.*|:.*|.*-bin)$/;

/** Headers of a request that are for the rpc. */
export function callHeaders(request: IncomingMessage): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const [name, value] of Object.entries(request.headers)) {
    const text = one(value);
    if (text !== undefined && !notOfCalls.test(name) && /^[ -~]*$/.test(text)) headers.set(name, text);
  }
  const token = tokenOfCookie(request);
  if (token !== undefined && !headers.has("authorization")) headers.set("authorization", `Bearer ${token}`);
  return headers;
}

function headersOf({ status }: HttpError): ReadonlyMap<string, string> {
  if (status === 405) return new Map([["allow", "POST"]]);
  // What was not read of a body can't be told from a next request.
  return status === 413 ? new Map([["connection", "close"]]) : new Map();
}

function parseTimeout(text: string | undefined): number | undefined | "wrong" {
  if (text === undefined) return undefined;
  return /^\d{1,10}$/.test(text) ? Number(text) : "wrong";
}

function one(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.[0];
}
