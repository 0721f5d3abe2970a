import type { Socket } from "node:net";
import { code } from "../../../proto/wire/status.ts";
import { AnswerWriter } from "../../../runtime/src/grpc/answerWriter.ts";
import type { AnswerRoom } from "../../../runtime/src/grpc/answerWriter.ts";
import { parseCallTimeout } from "../../../runtime/src/grpc/callTimeout.ts";
import { Unpacker } from "../../../runtime/src/grpc/unpacker.ts";
import { serveConnection } from "../../../runtime/src/http2/serverConnection.ts";
import type { ServeOptions, ServerConnection } from "../../../runtime/src/http2/serverConnection.ts";
import type { IncomingRequest, RequestSink } from "../../../runtime/src/http2/serverStream.ts";
import type { Log } from "../../../runtime/src/log.ts";
import { peerCertificate } from "../../../runtime/src/peerCertificate.ts";
import { askOnce, talk } from "./grpcCall.ts";
import type { LocalAbout } from "./localCall.ts";
import type { Rpcs } from "./rpcs.ts";

export interface GrpcDoorOptions {
  readonly rpcs: Pick<Rpcs, "find">;
  /** Largest message that is taken. */
  readonly messageBytesMax: number;
  readonly log: Log;
}

/** gRPC over HTTP/2, on connections that somebody else has accepted. */
export interface GrpcDoor extends Disposable {
  accept(socket: Socket): void;
  /** Takes no new calls; resolves when all connections are closed, which they are with their last answer. */
  drain(): Promise<void>;
}

/** Of all answers that their callers do not read. */
const unreadBytesMax = 1024 * 1024 * 1024;
/** Callers wait for their runs, some for days: many at a time on one connection. */
const streamsMax = 100_000;
/** A caller may wait for days; a dead connection is noticed in a minute. */
const keepalive = { silentMs: 20_000, answerMs: 20_000 };

/** Opens it; it serves what `rpcs` has at the time of each call. */
export function openGrpcDoor({ rpcs, messageBytesMax, log }: GrpcDoorOptions): GrpcDoor {
  const connections = new Set<ServerConnection>();
  const room: AnswerRoom = { bytes: 0, bytesMax: unreadBytesMax, where: "at this orchestrator" };
  const unpacker = new Unpacker(messageBytesMax);
  let isDraining = false;
  let isEmpty = (): void => undefined;
  const accept = (socket: Socket): void => {
    const certificate = peerCertificate(socket);
    const onRequest: ServeOptions["onRequest"] = (session, stream, request) => {
      const answer = new AnswerWriter(session, stream, room);
      const refuse = (number: number, message: string): RequestSink => {
        answer.end({ code: number, message, details: new Uint8Array(), trailers: new Map() });
        return dropped;
      };
      if (request.method !== "POST" || !/^application\/grpc(?:[+;]|$)/.test(valueOf(request, "content-type") ?? "")) {
        answer.endForeign();
        return dropped;
      }
      const rpc = rpcs.find(request.path);
      if (rpc === undefined)
        return refuse(code.UNIMPLEMENTED, `The server does not implement the method ${request.path}`);
      const timeout = valueOf(request, "grpc-timeout");
      const timeoutMs = timeout === undefined ? undefined : parseCallTimeout(timeout);
      if (timeout !== undefined && timeoutMs === undefined) return refuse(code.INTERNAL, "grpc-timeout is malformed");
      const about: LocalAbout = { headers: headersOf(request), timeoutMs, certificate };
      const encoding = valueOf(request, "grpc-encoding") ?? "identity";
      const ground = { about, answer, messageBytesMax, encoding, unpacker };
      return rpc.kind === "bidi" ? talk(rpc, ground) : askOnce(rpc, ground);
    };
    const connection = serveConnection(socket, {
      streamsMax,
      keepalive,
      onRequest,
      onOver: (why) => log.debug("a connection of a caller is over", { why }),
    });
    connections.add(connection);
    socket.once("close", () => {
      connections.delete(connection);
      if (connections.size === 0) isEmpty();
    });
    // It had been accepted before.
    if (isDraining) connection.drain();
  };
  return {
    accept,
    drain: async () => {
      isDraining = true;
      for (const connection of connections) connection.drain();
      if (connections.size > 0) await new Promise<void>((resolve) => (isEmpty = resolve));
    },
    [Symbol.dispose]: () => {
      for (const { session } of connections) session.end("the orchestrator stops");
    },
  };
}

const dropped: RequestSink = {
  onContent: () => undefined,
  onWhole: () => undefined,
  onSent: () => undefined,
  onOver: () => undefined,
};

function valueOf({ fields }: IncomingRequest, name: string): string | undefined {
  return fields.find((field) => field[0] === name)?.[1];
}

/** What belongs to the way here, and not to the call. Raw bytes are nobody's here. */
const notOfCalls = /^(?:grpc-.*|content-type|accept-encoding|te|.*-bin)$/;
/** Others HTTP/2 knows, and gRPC does not (Metadata would throw). */
const keyForm = /^[0-9a-z_.-]+$/;
const valueForm = /^[ -~]*$/;

/** Several values of a name are one with commas between (RFC 9110, section 5.3). */
function headersOf({ fields }: IncomingRequest): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  for (const [name, value] of fields) {
    if (notOfCalls.test(name) || !keyForm.test(name) || !valueForm.test(value)) continue;
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return headers;
}
