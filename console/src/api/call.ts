import { sessionIsOver } from "../session/session.ts";
import { list, object, text } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";

/** The API refused, or could not be reached. */
export class ApiError extends Error {
  /** google.rpc.Code in capitals: "FAILED_PRECONDITION"; UNAVAILABLE also when nothing answers. */
  readonly code: string;
  /** google.rpc.ErrorInfo's, empty when there is none. */
  readonly reason: string;
  readonly details: readonly JsonObject[];
  constructor(code: string, message: string, details: readonly JsonObject[] = []) {
    super(message);
    this.name = "ApiError";
    this.code = code;
    this.details = details;
    this.reason = details.map((detail) => text(object(detail["debug"]), "reason")).find((it) => it !== "") ?? "";
  }
}

/** How an rpc is called. */
export interface CallOptions {
  readonly signal?: AbortSignal;
  /** idempotency-key: the same again is done once. */
  readonly key?: string;
}

/** Calls an rpc and answers with its response. Throws ApiError. */
export async function call(method: string, request: Json, options: CallOptions = {}): Promise<JsonObject> {
  const response = await send(method, request, options);
  const body = await readBody(response);
  if (!response.ok) throw toError(response.status, body);
  return body;
}

/** Messages of a streaming rpc as they come. Throws ApiError when it fails or breaks; ends when the stream does. */
export async function* stream(method: string, request: Json, signal: AbortSignal): AsyncGenerator<JsonObject> {
  const response = await send(method, request, { signal });
  if (!response.ok || response.body === null) throw toError(response.status, await readBody(response));
  let rest = "";
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await read(reader);
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.trim() === "") continue;
      const message = object(parse(line));
      const error = message["error"];
      if (error !== undefined) throw toError(500, object(error));
      yield message;
    }
  }
}

async function read(
  reader: ReadableStreamDefaultReader<string>,
): Promise<{ readonly done: boolean; readonly value: string }> {
  try {
    const { done, value } = await reader.read();
    return { done, value: value ?? "" };
  } catch (error) {
    throw unreachable(error);
  }
}

async function send(method: string, request: Json, { signal, key }: CallOptions): Promise<Response> {
  try {
    return await fetch(`/${method}?decoded`, {
      method: "POST",
      headers: { "content-type": "application/json", ...(key === undefined ? {} : { "idempotency-key": key }) },
      body: JSON.stringify(request),
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    throw unreachable(error);
  }
}

function unreachable(error: unknown): unknown {
  if (error instanceof DOMException && error.name === "AbortError") return error;
  return new ApiError("UNAVAILABLE", "the orchestrator does not answer");
}

async function readBody(response: Response): Promise<JsonObject> {
  try {
    return object(parse(await response.text()));
  } catch (error) {
    throw unreachable(error);
  }
}

function parse(line: string): Json {
  try {
    const json: Json = JSON.parse(line);
    return json;
  } catch {
    return {};
  }
}

function toError(status: number, body: JsonObject): ApiError {
  const code = text(body, "code").toUpperCase().replace("CANCELED", "CANCELLED");
  const message = text(body, "message") || `the orchestrator answered with status ${status}`;
  if (status === 401) sessionIsOver();
  return new ApiError(
    code || (status === 401 ? "UNAUTHENTICATED" : "UNKNOWN"),
    message,
    list(body, "details", (it) => it),
  );
}
