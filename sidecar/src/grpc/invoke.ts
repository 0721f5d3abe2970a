import { Metadata, status } from "@grpc/grpc-js";
import type { ClientUnaryCall, ServiceError } from "@grpc/grpc-js";
import { pushbackTrailer, statusDetailsTrailer } from "../../../proto/wire/headers.ts";
import type { Ending } from "../core/ending.ts";
import type { Call, CallRequest } from "../ports.ts";
import { messageBytesMax } from "./channel.ts";
import type { ServiceChannel } from "./channel.ts";

/** Makes one unary call with the request's bytes as they are. The deadline counts from now. */
export function invoke(channel: ServiceChannel, request: CallRequest): Call {
  const startedAtMs = Date.now();
  const { promise: ending, resolve } = Promise.withResolvers<Ending>();
  const end = (rest: EndingRest, peer: string): void =>
    resolve({ peer, startedAtMs, endedAtMs: Math.max(Date.now(), startedAtMs), ...rest });
  if (request.body.length > messageBytesMax) {
    const message = `the request has ${request.body.length} bytes, at most ${messageBytesMax} are sent`;
    end(transportFailure(status.RESOURCE_EXHAUSTED, message, false), channel.target.text);
    return { ending, reset: () => undefined };
  }
  let metadata: Metadata;
  try {
    metadata = toMetadata(request.headers);
  } catch (error) {
    end(transportFailure(status.INTERNAL, `a header can't be sent: ${String(error)}`, false), channel.target.text);
    return { ending, reset: () => undefined };
  }
  let isHeaderReceived = false;
  const call = channel.client.makeUnaryRequest(
    `/${request.method}`,
    bytesToBuffer,
    sameBuffer,
    request.body,
    metadata,
    request.timeoutMs > 0 ? { deadline: startedAtMs + request.timeoutMs } : {},
    (error, response) => {
      const peer = wasStarted(call) ? call.getPeer() : channel.target.text;
      if (error === null && response !== undefined) end({ kind: "answered", response }, peer);
      else end(toFailure(error, isHeaderReceived, wasStarted(call)), peer);
    },
  );
  call.on("metadata", () => {
    isHeaderReceived = true;
  });
  return { ending, reset: () => call.cancel() };
}

type EndingRest = Ending extends infer E
  ? E extends Ending
    ? Omit<E, "peer" | "startedAtMs" | "endedAtMs">
    : never
  : never;

/**
 * grpc-js writes nothing but Buffers, and NATS hands out plain views where a message straddles two reads; a copy would cost a large
 * request dearly.
 */
function bytesToBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function sameBuffer(bytes: Buffer): Buffer {
  return bytes;
}

/** True once an HTTP/2 stream was made for the call: from then on bytes may have left. */
function wasStarted(call: ClientUnaryCall): boolean {
  return call.getAuthContext() !== null;
}

function toFailure(error: ServiceError | null, isHeaderReceived: boolean, isStarted: boolean): EndingRest {
  if (error === null) return transportFailure(status.INTERNAL, "the call ended without an answer", isStarted);
  const message = error.details;
  const isRefused = message === streamRefused;
  if (!isFromService(error, isHeaderReceived) || isRefused)
    return transportFailure(error.code, message, isStarted && !isRefused);
  const [details] = error.metadata.get(statusDetailsTrailer);
  const [pushback] = error.metadata.get(pushbackTrailer);
  return {
    kind: "failed",
    code: error.code,
    message,
    details: typeof details === "object" ? details : new Uint8Array(),
    pushback: typeof pushback === "string" ? pushback : undefined,
    origin: "service",
    sent: true,
  };
}

/** An HTTP/2 server that refuses a stream has not looked at it. */
const streamRefused = "Stream refused by server";

/** The texts by which grpc-js tells its own endings of a call that had begun to answer; kept by a test against the real library. */
const ownTexts =
  /^(Connection dropped|Call cancelled|Cancelled on client|Deadline exceeded|Received RST_STREAM|Received message larger than max|Bandwidth exhausted|Protocol not secure|No status information|read E|write E|Unhandled|Too )/;

/**
 * A status of the service comes in trailers, whose other fields stay in the metadata; one that the client makes up has none. Trailers
 * after headers may be empty besides the status: then the text decides.
 */
function isFromService(error: ServiceError, isHeaderReceived: boolean): boolean {
  if (Object.keys(error.metadata.getMap()).length > 0) return true;
  return isHeaderReceived && !ownTexts.test(error.details);
}

function transportFailure(code: number, message: string, sent: boolean): EndingRest {
  return { kind: "failed", code, message, details: new Uint8Array(), pushback: undefined, origin: "transport", sent };
}

const decoder = new TextDecoder();

function toMetadata(headers: CallRequest["headers"]): Metadata {
  const metadata = new Metadata();
  for (const { key, value } of headers) {
    metadata.add(key, key.endsWith("-bin") ? bytesToBuffer(value) : decoder.decode(value));
  }
  return metadata;
}
