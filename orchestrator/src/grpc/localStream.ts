import { Duplex } from "node:stream";
import type { PeerCertificate } from "node:tls";
import { Metadata } from "@grpc/grpc-js";
import type {
  deserialize as Deserialize,
  handleBidiStreamingCall,
  handleServerStreamingCall,
  serialize as Serialize,
  ServerDuplexStream,
  ServerErrorResponse,
  ServerWritableStream,
} from "@grpc/grpc-js";
import { code } from "../../../proto/wire/status.ts";
import { deadlineOf, endOf, fine, lifeOf, metadataOf, noMetrics, textsOf } from "./localCall.ts";
import type { LocalAbout, LocalEnd, LocalSink } from "./localCall.ts";

/** A call whose requests and answers come and go at the same time. */
export interface LocalTalk {
  /** The next request. */
  message(bytes: Uint8Array): void;
  /** No more requests come. */
  whole(): void;
  /** Nobody listens any more. */
  cancel(): void;
}

/** Requests that have come and that the method has not taken: a client that talks on without listening is sent away. */
const waitingMax = 1_000;

/** Calls a method that answers with a stream; returns how to give the call up. */
export function callStream<Request, Response>(
  handler: handleServerStreamingCall<Request, Response>,
  serialize: Serialize<Response>,
  request: Request,
  about: LocalAbout,
  sink: LocalSink,
): () => void {
  const call: LocalStreamCall<Request, never, Response> = new LocalStreamCall(request, about, sink, serialize, (end) =>
    life.end(end),
  );
  const life = lifeOf(call, about, sink);
  handler(call);
  return life.cancel;
}

/** Calls a method that talks. */
export function callTalk<Request, Response>(
  handler: handleBidiStreamingCall<Request, Response>,
  forms: { readonly serialize: Serialize<Response>; readonly deserialize: Deserialize<Request> },
  about: LocalAbout,
  sink: LocalSink,
): LocalTalk {
  const call: LocalStreamCall<undefined, Request, Response> = new LocalStreamCall(
    undefined,
    about,
    sink,
    forms.serialize,
    (end) => life.end(end),
  );
  const life = lifeOf(call, about, sink);
  handler(call);
  return {
    message: (bytes) => {
      if (life.isOver()) return;
      if (call.readableLength >= waitingMax)
        return life.end({
          ...fine,
          code: code.RESOURCE_EXHAUSTED,
          message: `${waitingMax} requests of this call wait`,
        });
      let request: Request;
      try {
        request = forms.deserialize(Buffer.from(bytes));
      } catch (error) {
        return life.end({ ...fine, code: code.INTERNAL, message: `the request can't be read: ${String(error)}` });
      }
      call.push(request);
    },
    whole: () => {
      if (!life.isOver()) call.push(null);
    },
    cancel: life.cancel,
  };
}

/** A call whose answer is a stream; it came with a request, or requests come one by one. */
class LocalStreamCall<First, Request, Response>
  extends Duplex
  implements ServerWritableStream<First, Response>, ServerDuplexStream<Request, Response>
{
  readonly request: First;
  readonly metadata: Metadata;
  cancelled = false;
  readonly isLetIn: boolean;
  readonly #certificate: PeerCertificate | undefined;
  readonly #deadlineMs: number;
  readonly #sink: LocalSink;
  readonly #serialize: Serialize<Response>;
  readonly #finish: (end: LocalEnd) => void;
  #ending: LocalEnd = fine;
  constructor(
    request: First,
    about: LocalAbout,
    sink: LocalSink,
    serialize: Serialize<Response>,
    finish: (end: LocalEnd) => void,
  ) {
    super({ objectMode: true, emitClose: false, autoDestroy: false });
    this.request = request;
    this.metadata = metadataOf(about.headers);
    this.isLetIn = about.isLetIn === true;
    this.#certificate = about.certificate;
    this.#deadlineMs = deadlineOf(about);
    this.#sink = sink;
    this.#serialize = serialize;
    this.#finish = finish;
    this.on("error", (error: ServerErrorResponse) => {
      this.#ending = endOf(error);
      this.end();
    });
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
  override _read(): void {
    // Requests are pushed as they come.
  }
  override _write(message: Response, _encoding: string, done: () => void): void {
    if (this.cancelled) done();
    else void this.#sink.message(this.#serialize(message)).then(done);
  }
  override _final(done: () => void): void {
    this.#finish(this.#ending);
    done();
  }
  override end(trailer?: unknown): this {
    if (trailer instanceof Metadata) this.#ending = { ...this.#ending, trailers: textsOf(trailer) };
    return super.end();
  }
}
