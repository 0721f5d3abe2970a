import { lstatSync, rmSync } from "node:fs";
import { constants, createServer } from "node:http2";
import type { Http2Server, Http2Session, IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from "node:http2";
import { connect } from "node:net";
import type { ListenOptions } from "node:net";
import { gunzip } from "node:zlib";
import { statusDetailsTrailer } from "../../../proto/wire/headers.ts";
import { code } from "../../../proto/wire/status.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { Log } from "../../../runtime/src/log.ts";
import { callFrame, openCallFrames } from "../core/callFrames.ts";
import { parseCallTimeout } from "../core/callTimeout.ts";
import { failedEnd } from "../core/callEnd.ts";
import type { CallEnd } from "../core/callEnd.ts";
import type { CallAnswer, CarryCall, GiveUp, IncomingCall } from "../wayIn.ts";
import { hostAndPort } from "./target.ts";
import type { Target } from "./target.ts";

export interface WayInOptions {
  readonly at: Target;
  /** Largest request. */
  readonly requestBytesMax: number;
  readonly carry: CarryCall;
  /** What health says: calls can be carried out. */
  readonly isServing: () => boolean;
  readonly log: Log;
  readonly bounds?: Partial<WayInBounds>;
}

/** What is taken at a time; a service that wants more is told so, and its sidecar goes on. */
export interface WayInBounds {
  readonly connectionsMax: number;
  /** Over all connections. */
  readonly callsMax: number;
  /** Bytes of the requests of all calls that are there. */
  readonly heldBytesMax: number;
  /** A request is whole so long after its headers. */
  readonly requestWithinMs: number;
}

const defaultBounds: WayInBounds = {
  connectionsMax: 1_000,
  callsMax: 10_000,
  heldBytesMax: 64 * 1024 * 1024,
  requestWithinMs: 30_000,
};
/** More connections than there may be are told so one by one, so many at a time. */
const surplusMax = 100;
/** One that says nothing is not waited for. */
const surplusWithinMs = 5_000;

/** Where the service beside us calls others, as if they were here. */
export interface WayIn extends AsyncDisposable {
  /** Takes no new calls, and resolves when those under way have ended, at the latest after so many ms. */
  drain(boundMs: number): Promise<void>;
}

const health = "grpc.health.v1.Health/Check";
/** grpc.health.v1.HealthCheckResponse: SERVING, NOT_SERVING. */
const healthy = Uint8Array.of(0x08, 1);
const unhealthy = Uint8Array.of(0x08, 2);
const streamsMax = 1_000;
const prefixBytes = 5;

/** Listens. Throws when the address can't be had. */
export async function openWayIn(options: WayInOptions): Promise<WayIn> {
  const bounds = { ...defaultBounds, ...options.bounds };
  const server = createServer({ settings: { maxConcurrentStreams: streamsMax } });
  server.maxConnections = bounds.connectionsMax + surplusMax;
  const sessions = new Set<ServerHttp2Session>();
  const surplus = new WeakSet<Http2Session>();
  const held = { bytes: 0 };
  const streams = new Set<ServerHttp2Stream>();
  let isEmpty = (): void => undefined;
  server.on("session", (session) => {
    if (sessions.size >= bounds.connectionsMax) {
      surplus.add(session);
      setTimeout(() => session.destroy(), surplusWithinMs).unref();
    }
    sessions.add(session);
    session.on("error", () => session.destroy());
    session.once("close", () => sessions.delete(session));
  });
  server.on("stream", (stream, headers) => {
    streams.add(stream);
    stream.on("error", (error) => options.log.debug("a call of the service broke", { error: errorText(error) }));
    stream.once("close", () => {
      streams.delete(stream);
      if (streams.size === 0) isEmpty();
    });
    const { session } = stream;
    const isSurplus = session !== undefined && surplus.has(session);
    if (isSurplus) refuse(stream, full("connections", bounds.connectionsMax));
    else if (streams.size > bounds.callsMax) refuse(stream, full("calls", bounds.callsMax));
    else take(stream, headers, options, { ...bounds, held });
    if (isSurplus) session.close();
  });
  await listen(server, options.at);
  return {
    drain: async (boundMs) => {
      server.close();
      for (const session of sessions) session.close();
      if (streams.size === 0) return;
      const timer = setTimeout(() => isEmpty(), boundMs);
      await new Promise<void>((resolve) => (isEmpty = resolve));
      clearTimeout(timer);
    },
    [Symbol.asyncDispose]: () => {
      server.close();
      for (const session of sessions) session.destroy();
      return Promise.resolve();
    },
  };
}

function full(what: string, max: number): CallEnd {
  return failedEnd(
    code.RESOURCE_EXHAUSTED,
    `${max} ${what} are open at this sidecar (--listen), and no more are taken`,
  );
}

/** Ends a call whose request is not waited for. */
function refuse(stream: ServerHttp2Stream, end: CallEnd, answer = answerOn(stream)): void {
  stream.resume();
  answer.end(end);
  stream.close(constants.NGHTTP2_NO_ERROR);
}

interface Holding extends WayInBounds {
  /** Of all calls. */
  readonly held: { bytes: number };
}

/** Reads one call and has it carried out. */
function take(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, options: WayInOptions, holding: Holding): void {
  const answer = answerOn(stream);
  const gathered = gather(stream, options.requestBytesMax, holding, (end) => refuse(stream, end, answer));
  const refuseWith = (number: number, message: string): void => gathered.refuse(failedEnd(number, message));
  const method = /^\/([\w.]+\/\w+)$/.exec(headers[":path"] ?? "")?.[1];
  if (headers[":method"] !== "POST" || !/^application\/grpc(?:\+proto)?$/.test(headers["content-type"] ?? ""))
    return stream.respond({ ":status": 415 }, { endStream: true });
  if (method === undefined) return refuseWith(code.UNIMPLEMENTED, `${headers[":path"] ?? ""} is no rpc`);
  // Who asks for reflection, or watches health, does not end its request: it would wait for ever.
  if (method.startsWith("grpc.") && method !== health)
    return refuseWith(code.UNIMPLEMENTED, `${method} is not answered here`);
  const timeout = one(headers["grpc-timeout"]);
  const timeoutMs = timeout === undefined ? undefined : parseCallTimeout(timeout);
  if (timeout !== undefined && timeoutMs === undefined) return refuseWith(code.INTERNAL, "grpc-timeout is malformed");
  const dueMs = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
  let giveUp: GiveUp = () => undefined;
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(
          () => {
            answer.end(failedEnd(code.DEADLINE_EXCEEDED, "the call's own time is over"));
            // Who does not read keeps the stream from closing.
            giveUp("late");
          },
          Math.min(timeoutMs, 0x7fff_ffff),
        );
  stream.once("close", () => {
    clearTimeout(timer);
    giveUp("gone");
  });
  gathered.onWhole((messages) => {
    const given = { encoding: one(headers["grpc-encoding"]) ?? "identity", bytesMax: options.requestBytesMax };
    void requestOf(messages, given).then((request) => {
      if (!(request instanceof Uint8Array)) return answer.end(request);
      // What was unpacked is held besides.
      if (request !== messages?.[0]?.bytes && !gathered.hold(request.length)) return undefined;
      if (stream.destroyed || stream.writableEnded) return;
      const leftMs = (): number | undefined =>
        dueMs === undefined ? undefined : Math.max(1, Math.ceil(dueMs - performance.now()));
      giveUp = begin({ method, request, headers: headersOf(headers), leftMs }, answer, options);
    });
  });
}

/** A request as it arrives. */
interface Gathered {
  /** Ends the call unless that has been; what still comes is dropped. */
  refuse(end: CallEnd): void;
  /** So many bytes more are held; false: they are too many, and the call is refused. */
  hold(bytes: number): boolean;
  /** Not called when the call has been refused. */
  onWhole(listener: (messages: Messages) => void): void;
}

/** Holds what comes of a request until the call is over; one that is too large, or does not come, is refused. */
function gather(
  stream: ServerHttp2Stream,
  requestBytesMax: number,
  { held, heldBytesMax, requestWithinMs }: Holding,
  onRefused: (end: CallEnd) => void,
): Gathered {
  const frames = openCallFrames(requestBytesMax + prefixBytes);
  let ownBytes = 0;
  let isRefused = false;
  const refuseOnce = (end: CallEnd): void => {
    if (isRefused) return;
    isRefused = true;
    clearTimeout(timer);
    onRefused(end);
  };
  const timer = setTimeout(
    () => refuseOnce(failedEnd(code.DEADLINE_EXCEEDED, `the request was not whole within ${requestWithinMs} ms`)),
    requestWithinMs,
  );
  let isOver = false;
  stream.once("close", () => {
    clearTimeout(timer);
    isOver = true;
    held.bytes -= ownBytes;
  });
  const hold = (bytes: number): boolean => {
    if (isOver) return true;
    ownBytes += bytes;
    held.bytes += bytes;
    if (held.bytes <= heldBytesMax) return true;
    refuseOnce(failedEnd(code.RESOURCE_EXHAUSTED, heldTooMuch(heldBytesMax)));
    return false;
  };
  stream.on("data", (piece: Uint8Array) => {
    if (isRefused) return;
    if (hold(piece.length) && frames.add(piece))
      refuseOnce(failedEnd(code.RESOURCE_EXHAUSTED, `the request has more than ${requestBytesMax} bytes`));
  });
  return {
    refuse: refuseOnce,
    hold,
    onWhole: (listener) => {
      stream.once("end", () => {
        clearTimeout(timer);
        if (!isRefused) listener(frames.messages());
      });
    },
  };
}

function heldTooMuch(max: number): string {
  return `the requests of calls at this sidecar (--listen) have ${max} bytes, and no more are taken`;
}

function begin(call: IncomingCall, answer: CallAnswer, { carry, isServing }: WayInOptions): GiveUp {
  if (call.method !== health) return carry(call, answer);
  void answer.message(isServing() ? healthy : unhealthy);
  answer.end(failedEnd(code.OK, ""));
  return () => undefined;
}

type Messages = ReturnType<ReturnType<typeof openCallFrames>["messages"]>;

/** The one message of a request. */
async function requestOf(
  messages: Messages,
  { encoding, bytesMax }: { readonly encoding: string; readonly bytesMax: number },
): Promise<Uint8Array | CallEnd> {
  if (messages === undefined) return failedEnd(code.INTERNAL, "the request ends within a message");
  const [message, ...more] = messages;
  if (message === undefined || more.length > 0)
    return failedEnd(
      code.UNIMPLEMENTED,
      `a call through a sidecar has one message as its request, this one has ${messages.length}`,
    );
  if (!message.isCompressed) return message.bytes;
  if (encoding !== "gzip")
    return failedEnd(code.UNIMPLEMENTED, `requests may be compressed by gzip, not by ${encoding}`);
  return new Promise((resolve) => {
    gunzip(message.bytes, { maxOutputLength: bytesMax }, (error, bytes) =>
      resolve(error === null ? bytes : failedEnd(code.INTERNAL, `the request can't be unpacked: ${error.message}`)),
    );
  });
}

/** What belongs to the way here, and not to the call. */
const notOfCalls = /^(:.*|grpc-.*|content-.*|accept-encoding|te|user-agent|host|connection|trailer)$/;

function headersOf(headers: IncomingHttpHeaders): IncomingCall["headers"] {
  return Object.entries(headers).flatMap(([key, given]) => {
    if (given === undefined || notOfCalls.test(key)) return [];
    const values = typeof given === "string" ? [given] : given;
    if (!key.endsWith("-bin")) return values.map((value) => ({ key, value: Buffer.from(value) }));
    return values.flatMap((value) => value.split(",").map((part) => ({ key, value: Buffer.from(part, "base64") })));
  });
}

/** Writes an answer as gRPC has it. */
function answerOn(stream: ServerHttp2Stream): CallAnswer {
  let isOver = false;
  const isGone = (): boolean => isOver || stream.destroyed || stream.closed;
  const begun = (headers: ReadonlyMap<string, string>): void => {
    if (!stream.headersSent)
      stream.respond(
        { ...Object.fromEntries(headers), ":status": 200, "content-type": "application/grpc" },
        { waitForTrailers: true },
      );
  };
  return {
    headers: (headers) => {
      if (!isGone()) begun(headers);
    },
    message: (bytes) => {
      if (isGone()) return Promise.resolve();
      begun(new Map());
      if (stream.write(callFrame(bytes))) return Promise.resolve();
      return new Promise((resolve) => {
        const done = (): void => {
          stream.off("drain", done);
          stream.off("close", done);
          resolve();
        };
        stream.on("drain", done);
        stream.on("close", done);
      });
    },
    end: (end) => {
      if (isGone()) return;
      isOver = true;
      const trailers = trailersOf(end);
      if (!stream.headersSent) {
        stream.respond({ ":status": 200, "content-type": "application/grpc", ...trailers }, { endStream: true });
        return;
      }
      stream.once("wantTrailers", () => stream.sendTrailers(trailers));
      stream.end();
    },
  };
}

function trailersOf({ code: number, message, details, trailers }: CallEnd): Readonly<Record<string, string>> {
  return {
    ...Object.fromEntries(trailers),
    "grpc-status": String(number),
    ...(message === "" ? {} : { "grpc-message": escaped(message) }),
    ...(details.length === 0 ? {} : { [statusDetailsTrailer]: Buffer.from(details).toString("base64") }),
  };
}

/** Clients that decode by decodeURI (grpc-js does) leave what it reserves, such as %2C, as it came: that goes unescaped. */
function escaped(message: string): string {
  return encodeURI(message.toWellFormed()).replaceAll("%20", " ");
}

async function listen(server: Http2Server, { address }: Target): Promise<void> {
  if (!address.startsWith("unix:")) return listenAt(server, hostAndPort(address));
  const path = address.slice("unix:".length);
  // Left by one that was killed: nobody answers there. What is no socket is somebody's file.
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true && !(await isAnswered(path))) rmSync(path);
  return listenAt(server, { path });
}

function listenAt(server: Http2Server, where: ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(where, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path }, () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "ECONNREFUSED"));
  });
}

function one(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.[0];
}
