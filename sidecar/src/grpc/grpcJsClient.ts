import { Metadata, status } from "@grpc/grpc-js";
import type { ClientReadableStream, ClientUnaryCall, ServiceError } from "@grpc/grpc-js";
import { pushbackTrailer, statusDetailsTrailer } from "../../../proto/wire/headers.ts";
import type { Ending, EndingRest } from "../core/ending.ts";
import type { Call, CallRequest } from "../ports.ts";
import { openStream } from "./answer.ts";
import type { StreamCaps } from "./answer.ts";
import { messageBytesMax } from "./callClient.ts";
import type { CallClient } from "./callClient.ts";
import { bytesToBuffer, openChannel, sameBuffer } from "./channel.ts";
import type { ServiceChannel } from "./channel.ts";
import type { OpenDoors } from "./serviceDoors.ts";

const prefixBytes = 5;

/** Everything by grpc-js (`--grpc-client grpc-js`): only then is it loaded, which would be a quarter of a sidecar's start. */
export const openGrpcJsDoors: OpenDoors = (target, tls, onChange) => {
  const link = openChannel(target, tls, onChange);
  return { link, client: new GrpcJsClient(link) };
};

/**
 * Makes calls with grpc-js, on the channel that follows the service: for a server that our own HTTP/2 does not get on with. It costs several
 * times as much, and who ended a call is read from what grpc-js says of it.
 */
export class GrpcJsClient implements CallClient {
  readonly #channel: ServiceChannel;

  /** The channel stays the caller's to close. */
  constructor(channel: ServiceChannel) {
    this.#channel = channel;
  }

  call(request: CallRequest): Call {
    const startedAtMs = Date.now();
    const { promise: ending, resolve } = Promise.withResolvers<Ending>();
    const end = (rest: EndingRest, peer = this.#channel.target.text): void =>
      resolve({ peer, startedAtMs, endedAtMs: Math.max(Date.now(), startedAtMs), ...rest });
    const { length } = request.body;
    if (length > messageBytesMax) {
      const message = `the request has ${length} bytes, at most ${messageBytesMax} are sent`;
      end(transportFailure(status.RESOURCE_EXHAUSTED, message, false));
      return { ending, reset: () => undefined };
    }
    try {
      const metadata = toMetadata(request.headers);
      const options = request.timeoutMs > 0 ? { deadline: startedAtMs + request.timeoutMs } : {};
      const { stream } = request;
      const call =
        stream === undefined
          ? this.#unary(request, metadata, options, end)
          : this.#streaming(request, stream, metadata, options, end);
      return { ending, reset: () => call.cancel() };
    } catch (error) {
      end(transportFailure(status.INTERNAL, `a header can't be sent: ${String(error)}`, false));
      return { ending, reset: () => undefined };
    }
  }

  [Symbol.dispose](): void {}

  #unary(request: CallRequest, metadata: Metadata, options: CallTime, end: End): ClientUnaryCall {
    let isHeaderReceived = false;
    const call = this.#channel.client.makeUnaryRequest(
      `/${request.method}`,
      bytesToBuffer,
      sameBuffer,
      request.body,
      metadata,
      options,
      (error, response) => {
        const isStarted = wasStarted(call);
        if (error === null && response !== undefined) end({ kind: "answered", response }, call.getPeer());
        else end(toFailure(error, isHeaderReceived, isStarted), isStarted ? call.getPeer() : undefined);
      },
    );
    call.on("metadata", () => {
      isHeaderReceived = true;
    });
    return call;
  }

  #streaming(
    request: CallRequest,
    caps: StreamCaps,
    metadata: Metadata,
    options: CallTime,
    end: End,
  ): ClientReadableStream<Buffer> {
    let isHeaderReceived = false;
    const answer = openStream(caps);
    const call = this.#channel.client.makeServerStreamRequest(
      `/${request.method}`,
      bytesToBuffer,
      sameBuffer,
      request.body,
      metadata,
      options,
    );
    call.on("metadata", () => {
      isHeaderReceived = true;
    });
    call.on("data", (message: Buffer) => {
      const unfit = answer.take(framed(message));
      if (unfit === undefined) return;
      end(transportFailure(unfit.code, unfit.message, true), call.getPeer());
      call.cancel();
    });
    call.on("error", (error: ServiceError) => {
      const isStarted = wasStarted(call);
      end(toFailure(error, isHeaderReceived, isStarted), isStarted ? call.getPeer() : undefined);
    });
    call.on("end", () => {
      const response = answer.finish();
      if (response instanceof Uint8Array) end({ kind: "answered", response }, call.getPeer());
      else end(transportFailure(response.code, response.message, true), call.getPeer());
    });
    return call;
  }
}

type CallTime = { readonly deadline?: number };
type End = (rest: EndingRest, peer?: string) => void;

/** As it came, which is what a list of messages is made from. */
function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** True once an HTTP/2 stream was made for the call: from then on bytes may have left. */
function wasStarted(call: ClientUnaryCall | ClientReadableStream<Buffer>): boolean {
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
  for (const { key, value } of headers)
    metadata.add(key, key.endsWith("-bin") ? bytesToBuffer(value) : decoder.decode(value));
  return metadata;
}
