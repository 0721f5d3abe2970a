import { preface } from "../frameWriter.ts";
import { ServerSession } from "../serverSession.ts";
import type { ServerSessionOptions } from "../serverSession.ts";
import type { IncomingRequest, RequestSink, ServerStream } from "../serverStream.ts";
import { frameType } from "../wire/frame.ts";
import { encodeFields } from "../wire/hpackEncoder.ts";
import type { Field } from "../wire/hpackTable.ts";
import { frame, head, settings } from "./frames.ts";
import { keepSent } from "./keepSent.ts";

/** What a request of gRPC begins with. */
export const requestFields: readonly Field[] = [
  [":method", "POST"],
  [":scheme", "http"],
  [":path", "/a.B/C"],
  ["te", "trailers"],
];
export const okHead = encodeFields([[":status", "200"]]);
export const okTrailers = encodeFields([["grpc-status", "0"]]);

/** A whole request, of so many bytes. */
export function request(streamId: number, body: Uint8Array = Buffer.from("hello")): Buffer {
  return Buffer.concat([head(streamId, requestFields), frame(frameType.DATA, 1, streamId, body)]);
}

/** Keeps what comes of a request. */
export class RequestRecorder implements RequestSink {
  readonly stream: ServerStream;
  readonly head: IncomingRequest;
  readonly told: string[] = [];
  readonly pieces: Buffer[] = [];
  readonly #onWhole: (recorder: RequestRecorder) => void;

  constructor(stream: ServerStream, requestHead: IncomingRequest, onWhole: (recorder: RequestRecorder) => void) {
    this.stream = stream;
    this.head = requestHead;
    this.#onWhole = onWhole;
  }

  get content(): Buffer {
    return Buffer.concat(this.pieces);
  }
  onContent(piece: Uint8Array): void {
    this.pieces.push(Buffer.from(piece));
  }
  onWhole(): void {
    this.told.push("whole");
    this.#onWhole(this);
  }
  onSent(): void {
    this.told.push("sent");
  }
  onOver(): void {
    this.told.push("over");
  }
}

/** A session without a socket: what it sends is kept, what a client says is put in. Requests are answered when they are whole, unless `isHeld`. */
export function openServerSession(rest: Partial<ServerSessionOptions> & { readonly isHeld?: boolean } = {}) {
  const { options, over, sent } = keepSent(() => session.resume());
  const requests: RequestRecorder[] = [];
  const answer = (one: RequestRecorder, body: Uint8Array = one.content): void => {
    session.sendHead(one.stream, okHead, false);
    session.sendContent(one.stream, new Uint8Array(), body);
    session.sendTrailers(one.stream, okTrailers);
  };
  const session = new ServerSession({
    ...options,
    streamsMax: 1_000,
    onRequest: (stream, requestHead) => {
      const one = new RequestRecorder(stream, requestHead, (whole) => {
        if (rest.isHeld !== true) answer(whole);
      });
      requests.push(one);
      return one;
    },
    ...rest,
  });
  return {
    session,
    over,
    requests,
    answer,
    sent,
  };
}

/** One whose client has said its first words. */
export function readyServerSession(
  pairs: readonly (readonly [number, number])[] = [],
  rest: Parameters<typeof openServerSession>[0] = {},
) {
  const opened = openServerSession(rest);
  opened.session.receive(Buffer.concat([preface, settings(...pairs)]));
  opened.sent();
  return opened;
}
