import { statusDetailsTrailer } from "../../../proto/wire/headers.ts";
import { code } from "../../../proto/wire/status.ts";
import type { ServerSession } from "../http2/serverSession.ts";
import type { ServerStream } from "../http2/serverStream.ts";
import { putUint32 } from "../http2/wire/frame.ts";
import { encodeFields } from "../http2/wire/hpackEncoder.ts";
import type { Field } from "../http2/wire/hpackTable.ts";

const begun: readonly Field[] = [
  [":status", "200"],
  ["content-type", "application/grpc"],
];
// What nearly all answers are made of.
const head = encodeFields(begun);
const wellEnded = encodeFields([["grpc-status", "0"]]);
const foreign = encodeFields([[":status", "415"]]);
const prefix = new Uint8Array(5);
const atOnce = Promise.resolve();

/** How a call ended. */
export interface AnswerEnd {
  /** Number of google.rpc.Code. */
  readonly code: number;
  readonly message: string;
  /** google.rpc.Status; empty: none. */
  readonly details: Uint8Array;
  readonly trailers: ReadonlyMap<string, string>;
}

/** What waits of all answers, because their callers do not read. */
export interface AnswerRoom {
  bytes: number;
  readonly bytesMax: number;
  /** Whose callers, as those are told who find no room. */
  readonly where: string;
}

/** For an answer that is only an end. */
const noRoom: AnswerRoom = { bytes: 0, bytesMax: 0, where: "" };

/** Writes the answer of one call as gRPC has it on HTTP/2; what comes after its end is dropped. */
export class AnswerWriter {
  readonly #session: ServerSession;
  readonly #stream: ServerStream;
  #hasHead = false;
  #isOver = false;
  readonly #room: AnswerRoom;
  #waiting: (() => void)[] = [];
  #waitingBytes = 0;

  constructor(session: ServerSession, stream: ServerStream, room: AnswerRoom = noRoom) {
    this.#session = session;
    this.#stream = stream;
    this.#room = room;
  }

  /** It has been ended, or nobody is there any more. */
  isOver(): boolean {
    return this.#isOver || this.#stream.isOver;
  }

  /** At most once, before the first message. */
  headers(headers: ReadonlyMap<string, string>): void {
    if (this.isOver() || this.#hasHead) return;
    this.#hasHead = true;
    const block = headers.size === 0 ? head : encodeFields([...begun, ...headers]);
    this.#session.sendHead(this.#stream, block, false);
  }

  /** Resolves when the next may come. Never rejects. */
  message(bytes: Uint8Array): Promise<void> {
    if (this.isOver()) return atOnce;
    this.headers(none);
    putUint32(prefix, 1, bytes.length);
    if (this.#session.sendContent(this.#stream, prefix, bytes)) return atOnce;
    this.#waitingBytes += bytes.length;
    this.#room.bytes += bytes.length;
    if (this.#room.bytes > this.#room.bytesMax) {
      this.cut(tooMuch(this.#room));
      return atOnce;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  end(end: AnswerEnd): void {
    if (this.isOver()) return;
    this.#isOver = true;
    if (this.#hasHead)
      this.#session.sendTrailers(this.#stream, isPlain(end) ? wellEnded : encodeFields(trailersOf(end)));
    else this.#session.sendHead(this.#stream, encodeFields([...begun, ...trailersOf(end)]), true);
  }

  /** Ends it now, also when it has been ended: what of it still waits is dropped. */
  cut(end: AnswerEnd): void {
    if (!this.#hasHead) return this.end(end);
    this.#isOver = true;
    this.#session.sendTrailers(this.#stream, encodeFields(trailersOf(end)), true);
  }

  /** Tells one who does not speak gRPC. */
  endForeign(): void {
    this.#isOver = true;
    this.#session.sendHead(this.#stream, foreign, true);
  }

  /** All messages have gone out, or nobody waits for them. */
  sent(): void {
    this.#room.bytes -= this.#waitingBytes;
    this.#waitingBytes = 0;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

function tooMuch({ bytesMax, where }: AnswerRoom): AnswerEnd {
  const message = `the answers that callers ${where} do not read have ${bytesMax} bytes, and no more are kept`;
  return { code: code.RESOURCE_EXHAUSTED, message, details: new Uint8Array(), trailers: none };
}

const none: ReadonlyMap<string, string> = new Map();

function isPlain({ code: number, message, details, trailers }: AnswerEnd): boolean {
  return number === code.OK && message === "" && details.length === 0 && trailers.size === 0;
}

function trailersOf({ code: number, message, details, trailers }: AnswerEnd): readonly Field[] {
  const fields: Field[] = [...trailers, ["grpc-status", String(number)]];
  if (message !== "") fields.push(["grpc-message", escaped(message)]);
  if (details.length > 0) fields.push([statusDetailsTrailer, Buffer.from(details).toString("base64")]);
  return fields;
}

/**
 * Clients that decode by decodeURI (grpc-js does) leave what it reserves, such as %2C, as it came: that goes unescaped. Blanks do within, and not at
 * the ends, where HTTP/2 forbids them.
 */
function escaped(message: string): string {
  return encodeURI(message.toWellFormed()).replaceAll(/(?!^)%20(?!$)/g, " ");
}
