import { EventEmitter } from "node:events";
import type { PeerCertificate } from "node:tls";
import { Metadata } from "@grpc/grpc-js";
import type { handleUnaryCall, serialize as Serialize, ServerErrorResponse, ServerUnaryCall } from "@grpc/grpc-js";
import type { Any } from "../../../proto/gen/google/protobuf/any.ts";
import { RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { statusDetailsTrailer } from "../../../proto/wire/headers.ts";
import { code } from "../../../proto/wire/status.ts";
import { thrownFailure, toServiceError } from "./failure.ts";

/** What a call from inside this process brings besides its request. */
export interface LocalAbout {
  /** Text headers, lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** Undefined: the call waits for as long as it takes. */
  readonly timeoutMs: number | undefined;
  /** The client's, when it was asked for one and it is good. */
  readonly certificate: PeerCertificate | undefined;
  /** It has been let in, and its headers say who calls. */
  readonly isLetIn?: boolean;
}

/** How a call ended. */
export interface LocalEnd {
  /** Number of google.rpc.Code. */
  readonly code: number;
  readonly message: string;
  readonly details: readonly Any[];
  readonly trailers: ReadonlyMap<string, string>;
}

/** Who listens to a call. */
export interface LocalSink {
  /** At most once, before the first message. */
  headers(headers: ReadonlyMap<string, string>): void;
  /** Resolves when the next may come. Never rejects. */
  message(bytes: Uint8Array): Promise<void>;
  /** Once; nothing comes after it. */
  end(end: LocalEnd): void;
}

/** Calls a unary method; returns how to give the call up. */
export function callUnary<Request, Response>(
  handler: handleUnaryCall<Request, Response>,
  serialize: Serialize<Response>,
  request: Request,
  about: LocalAbout,
  sink: LocalSink,
): () => void {
  const call = new LocalUnaryCall(request, about, sink);
  const life = lifeOf(call, about, sink);
  handler(call, (error, response, trailer) => {
    if (life.isOver()) return;
    if (error !== null) return life.end(endOf(error));
    if (response === undefined || response === null) return life.end(noAnswer);
    void sink.message(serialize(response)).then(() => life.end({ ...fine, trailers: textsOf(trailer) }));
  });
  return life.cancel;
}

/** It went well. */
export const fine: LocalEnd = { code: code.OK, message: "", details: [], trailers: new Map() };
const noAnswer = endOf(toServiceError(thrownFailure(new Error("a method answered with nothing"))));

/** Ends a call once: by its answer, by its deadline, or because nobody listens. */
export function lifeOf(
  call: EventEmitter & { cancelled: boolean },
  { timeoutMs }: LocalAbout,
  sink: LocalSink,
): { readonly isOver: () => boolean; readonly end: (how: LocalEnd) => void; readonly cancel: () => void } {
  let isOver = false;
  const leave = (): void => {
    isOver = true;
    clearTimeout(timer);
    // As grpc-js has it, a call is cancelled when it is over, however it ended.
    call.cancelled = true;
    call.emit("cancelled", "cancelled");
  };
  const end = (how: LocalEnd): void => {
    if (isOver) return;
    // The sink may cancel what it is told the end of.
    isOver = true;
    sink.end(how);
    leave();
  };
  const late = (): void => end({ ...fine, code: code.DEADLINE_EXCEEDED, message: "the call's own time is over" });
  const timer = timeoutMs === undefined ? undefined : setTimeout(late, Math.min(timeoutMs, 0x7fffffff));
  return {
    isOver: () => isOver,
    end,
    cancel: () => {
      if (!isOver) leave();
    },
  };
}

/** How a call ended that failed with an error of grpc-js. */
export function endOf(error: ServerErrorResponse | Partial<ServerErrorResponse>): LocalEnd {
  const trailer = error.metadata?.get(statusDetailsTrailer)[0];
  const details = trailer instanceof Uint8Array ? RpcStatus.decode(trailer).details : [];
  return {
    code: error.code ?? code.UNKNOWN,
    message: error.details ?? error.message ?? "",
    details,
    trailers: textsOf(error.metadata),
  };
}

/** The text headers among metadata. */
export function textsOf(metadata: Metadata | undefined): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const [name, value] of Object.entries(metadata?.getMap() ?? {}))
    if (typeof value === "string") texts.set(name, value);
  return texts;
}

/** The headers of a call as its method sees them. */
export function metadataOf(headers: ReadonlyMap<string, string>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of headers) metadata.set(name, value);
  return metadata;
}

/** By the clock; none is far away. */
export function deadlineOf({ timeoutMs }: LocalAbout): number {
  return timeoutMs === undefined ? Infinity : Date.now() + timeoutMs;
}

class LocalUnaryCall<Request, Response> extends EventEmitter implements ServerUnaryCall<Request, Response> {
  readonly request: Request;
  readonly metadata: Metadata;
  cancelled = false;
  readonly isLetIn: boolean;
  readonly #certificate: PeerCertificate | undefined;
  readonly #deadlineMs: number;
  readonly #sink: LocalSink;
  constructor(request: Request, about: LocalAbout, sink: LocalSink) {
    super();
    this.request = request;
    this.metadata = metadataOf(about.headers);
    this.isLetIn = about.isLetIn === true;
    this.#certificate = about.certificate;
    this.#deadlineMs = deadlineOf(about);
    this.#sink = sink;
  }
  getPeer = (): string => "local";
  getPath = (): string => "";
  getHost = (): string => "";
  getAuthContext(): { readonly sslPeerCertificate?: PeerCertificate } {
    return this.#certificate === undefined ? {} : { sslPeerCertificate: this.#certificate };
  }
  getMetricsRecorder = noMetrics;
  getDeadline(): number {
    return this.#deadlineMs;
  }
  sendMetadata(metadata: Metadata): void {
    if (!this.cancelled) this.#sink.headers(textsOf(metadata));
  }
}

/** What grpc-js's own calls have. */
export function noMetrics(): never {
  throw new Error("calls from inside this process have no metrics recorder");
}
