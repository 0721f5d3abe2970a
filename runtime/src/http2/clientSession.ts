import { FloodGuard } from "./floodGuard.ts";
import {
  writeBlock,
  writeGoAway,
  writePreface,
  writeReset,
  writeSettings,
  writeSmallContent,
  writeWindowUpdate,
} from "./frameWriter.ts";
import type { Outbox } from "./outbox.ts";
import { PeerTable } from "./peerTable.ts";
import { Pings } from "./pings.ts";
import { ReceiveWindow } from "./receiveWindow.ts";
import { SendQueue } from "./sendQueue.ts";
import { ClientStream } from "./clientStream.ts";
import type { StreamEnd, StreamHead, StreamSink } from "./clientStream.ts";
import { StreamTable } from "./streamTable.ts";
import { takeSettings } from "./takeSettings.ts";
import { toAnswerHead } from "./wire/answerHead.ts";
import type { AnswerHead } from "./wire/answerHead.ts";
import { errorCode, errorName, frameFlag, frameType, Http2Error, uint31At, uint31Max, uint32At } from "./wire/frame.ts";
import { FrameReader } from "./wire/frameReader.ts";
import { HeadReader } from "./wire/headReader.ts";
import { setting, settingsDefault } from "./wire/settings.ts";
import type { PeerSettings } from "./wire/settings.ts";

/** What a session has around it. */
export type ClientSessionOptions = {
  readonly outbox: Outbox;
  /** Bytes that the socket holds. */
  readonly unwrittenBytes: () => number;
  readonly now: () => number;
  /** The server has spoken HTTP/2: requests can be made. */
  readonly onReady: () => void;
  /** A request may fit now, or none ever will again: see `hasRoom` and `isOpen`. */
  readonly onRoom: () => void;
  /** The session is over: the socket is to be closed. */
  readonly onOver: (message: string) => void;
  /** Number of the first stream; odd. */
  readonly firstStreamId?: number;
};

/** What goes out on a stream: a block of headers, and a body whose first bytes stand apart. Head and lead are copied. */
export type OutgoingRequest = {
  readonly head: Uint8Array;
  /** So much of `head` is the block. */
  readonly headBytes: number;
  readonly lead: Uint8Array;
  readonly body: Uint8Array;
};

const streamWindowBytes = 4 * 1024 * 1024;
const connectionWindowBytes = 16 * 1024 * 1024;
/** As SETTINGS_MAX_HEADER_LIST_SIZE counts them. */
const listBytesMax = 64 * 1024;
/** Up to here prefix and body are copied into one frame. */
const copiedBytesMax = 8 * 1024;
/** Of a stream that we have reset: its whole window in frames, and some more. */
const lateFramesMax = 300;

const settings = [
  // A table of ours would have to follow what the server adds; servers beside us have no bytes to spare.
  [setting.HEADER_TABLE_SIZE, 0],
  [setting.ENABLE_PUSH, 0],
  [setting.INITIAL_WINDOW_SIZE, streamWindowBytes],
  [setting.MAX_HEADER_LIST_SIZE, listBytesMax],
] as const;

/**
 * The client's side of one HTTP/2 connection (RFC 9113), bytes in and bytes out: streams, windows, settings, pings, and what a server may not
 * do. It knows no socket and no time but what it is given, and nothing of gRPC.
 */
export class ClientSession {
  readonly #options: ClientSessionOptions;
  readonly #outbox: Outbox;
  readonly #streams = new StreamTable<ClientStream>();
  readonly #sendQueue: SendQueue<ClientStream>;
  readonly #receiveWindow = new ReceiveWindow(connectionWindowBytes);
  readonly #heads = new HeadReader<AnswerHead>(listBytesMax, toAnswerHead);
  readonly #guard: FloodGuard;
  readonly #reader: FrameReader;
  readonly #pings: Pings;
  readonly #peerTable = new PeerTable();
  #peer: PeerSettings = settingsDefault;
  #nextId: number;
  #isReady = false;
  #isLeaving = false;
  #isOver = false;
  /** Why the server went away, when it said so. */
  #farewell = "";

  constructor(options: ClientSessionOptions) {
    this.#options = options;
    this.#outbox = options.outbox;
    this.#pings = new Pings(options.outbox);
    this.#nextId = options.firstStreamId ?? 1;
    this.#sendQueue = new SendQueue(options.outbox, options.unwrittenBytes);
    this.#guard = new FloodGuard(options.now);
    this.#reader = new FrameReader({
      onContent: (streamId, piece, flowBytes, isEnd) => this.#takeContent(streamId, piece, flowBytes, isEnd),
      onBlock: (streamId, block, isEnd) => this.#takeBlock(streamId, block, isEnd),
      onFrame: (type, flags, streamId, content) => this.#takeFrame(type, flags, streamId, content),
    });
    writePreface(this.#outbox);
    writeSettings(this.#outbox, settings, connectionWindowBytes - settingsDefault.windowBytes);
  }

  /** New requests can be made here, now or when there is room. */
  isOpen(): boolean {
    return this.#isReady && !this.#isLeaving && !this.#isOver && this.#nextId <= uint31Max;
  }

  /** A request can be made now. */
  hasRoom(): boolean {
    return this.isOpen() && this.#streams.size < this.#peer.streamsMax;
  }

  /** The largest list of headers that the server takes, as it counts them. */
  get listBytesMax(): number {
    return this.#peer.headerListBytes;
  }

  /** Makes a request; only where `hasRoom`. */
  open({ head, headBytes, lead, body }: OutgoingRequest, sink: StreamSink): ClientStream {
    const stream = new ClientStream(this.#nextId, sink, this.#peer.windowBytes, streamWindowBytes);
    this.#nextId += 2;
    this.#streams.add(stream);
    const block = { bytes: head, length: headBytes, isEnd: false, isTableCut: this.#peerTable.takeCut() };
    writeBlock(this.#outbox, stream.id, block, this.#peer.frameBytes);
    const bytes = lead.length + body.length;
    if (bytes <= copiedBytesMax && bytes <= this.#sendQueue.roomFor(stream)) {
      this.#sendQueue.took(stream, bytes);
      writeSmallContent(this.#outbox, stream.id, lead, body, true);
    } else {
      stream.unsent = [new Uint8Array(lead), body].filter((piece) => piece.length > 0);
      this.#sendQueue.begin(stream);
    }
    return stream;
  }

  /** Breaks a stream off; its sink is told nothing more. */
  cancel(stream: ClientStream): void {
    if (this.#streams.get(stream.id) !== stream) return;
    this.#guard.allow(lateFramesMax);
    writeReset(this.#outbox, stream.id, errorCode.CANCEL);
    this.#forget(stream);
    this.#makeRoom();
  }

  /** Asks whether the server is there; `onAnswer` is told when it says so. */
  ping(onAnswer: () => void): void {
    this.#pings.ask(onAnswer);
  }

  /** Takes what came. */
  receive(chunk: Uint8Array): void {
    if (this.#isOver) return;
    try {
      this.#reader.push(chunk);
    } catch (error) {
      if (!(error instanceof Http2Error)) throw error;
      // A client takes no streams.
      writeGoAway(this.#outbox, 0, error.code);
      this.end(
        this.#isReady ? `the service broke HTTP/2: ${error.message}` : `no HTTP/2 server is there: ${error.message}`,
      );
    }
  }

  /** The socket takes more. */
  resume(): void {
    this.#sendQueue.pump();
  }

  /** Ends it and all that is on it. */
  end(message: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#outbox.flush();
    const streams = this.#streams.values();
    for (const stream of streams) this.#forget(stream);
    for (const stream of streams) stream.sink.onEnd({ kind: "lost", message: message + this.#farewell });
    this.#options.onOver(message);
  }

  #takeContent(streamId: number, piece: Uint8Array, flowBytes: number, isEnd: boolean): void {
    const more = this.#receiveWindow.take(flowBytes);
    if (more > 0) writeWindowUpdate(this.#outbox, 0, more);
    const stream = this.#find(streamId);
    if (piece.length > 0 && stream !== undefined) this.#guard.calm();
    else this.#guard.idle();
    if (stream === undefined) return;
    if (!stream.hasHead) return this.#break(stream, "content came before the headers");
    if (stream.announcedLeft !== undefined) stream.announcedLeft -= piece.length;
    if (piece.length > 0) stream.sink.onContent(piece);
    // The sink may have cancelled it.
    if (this.#streams.get(streamId) !== stream) return;
    if (isEnd) return this.#complete(stream);
    const moreOfStream = stream.receiveWindow.take(flowBytes);
    if (moreOfStream > 0) writeWindowUpdate(this.#outbox, streamId, moreOfStream);
  }

  #takeBlock(streamId: number, block: Uint8Array, isEnd: boolean): void {
    // Also of a stream that is over: the next block may build on it.
    const head = this.#heads.read(block);
    const stream = this.#find(streamId);
    if (stream === undefined) return this.#guard.idle();
    switch (head.kind) {
      case "malformed":
        return this.#break(stream, head.message);
      case "tooLarge":
        return this.#break(stream, `the headers have more than ${listBytesMax} bytes`, true);
      case "head":
        return this.#takeHead(stream, head, isEnd);
    }
  }

  #takeHead(stream: ClientStream, head: StreamHead, isEnd: boolean): void {
    if (head.status === undefined) {
      if (!stream.hasHead || !isEnd)
        return this.#break(stream, "headers without a status, or trailers that are not the end");
    } else {
      if (stream.hasHead) return this.#break(stream, "a status came twice");
      if (head.status < 200) {
        if (isEnd || head.status === 101) return this.#break(stream, `the status ${head.status} can't be`);
        return this.#guard.idle();
      }
      stream.hasHead = true;
      const length = head.fields.get("content-length");
      if (length !== undefined) stream.announcedLeft = Number(length);
    }
    stream.sink.onHead(head);
    if (isEnd && this.#streams.get(stream.id) === stream) this.#complete(stream);
  }

  #takeFrame(type: number, flags: number, streamId: number, content: Uint8Array): void {
    if (!this.#isReady && (type !== frameType.SETTINGS || (flags & frameFlag.ACK) !== 0))
      throw new Http2Error(errorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS");
    switch (type) {
      case frameType.SETTINGS:
        return (flags & frameFlag.ACK) === 0 ? this.#takeSettings(content) : this.#takeSettingsAck();
      case frameType.PING:
        this.#guard.idle();
        return this.#pings.take(flags, content);
      case frameType.GOAWAY:
        return this.#takeGoAway(content);
      case frameType.WINDOW_UPDATE:
        return this.#takeWindowUpdate(streamId, uint31At(content, 0));
      case frameType.RST_STREAM:
        return this.#takeReset(streamId, uint32At(content, 0));
      // PRIORITY, and what is unknown.
      default:
        return this.#guard.idle();
    }
  }

  #takeSettings(content: Uint8Array): void {
    this.#guard.idle();
    this.#peer = takeSettings(content, "server", this.#peer, {
      outbox: this.#outbox,
      streams: this.#streams,
      sendQueue: this.#sendQueue,
      peerTable: this.#peerTable,
    });
    if (!this.#isReady) {
      this.#isReady = true;
      this.#options.onReady();
    }
    this.#sendQueue.beginAll(this.#streams.values());
    this.#options.onRoom();
  }

  #takeSettingsAck(): void {
    this.#guard.idle();
    this.#heads.limitTable(0);
  }

  /** The server takes no more; it finishes the streams up to `lastId` (RFC 9113, section 6.8). */
  #takeGoAway(content: Uint8Array): void {
    this.#guard.idle();
    const lastId = uint31At(content, 0);
    const code = uint32At(content, 4);
    if (code !== errorCode.NO_ERROR) this.#farewell = `, the service said ${errorName(code)}${reasonIn(content)}`;
    this.#isLeaving = true;
    for (const stream of this.#streams.values()) {
      if (stream.id > lastId && !stream.hasHead) this.#finish(stream, { kind: "unprocessed", isRefused: false });
    }
    this.#makeRoom();
  }

  #takeWindowUpdate(streamId: number, bytes: number): void {
    const stream = streamId === 0 ? undefined : this.#find(streamId);
    if (streamId === 0) this.#sendQueue.grow(bytes);
    else if (stream !== undefined) this.#growStream(stream, bytes);
    this.#guard.opened(this.#sendQueue.sentCount);
  }

  #growStream(stream: ClientStream, bytes: number): void {
    stream.sendWindow += bytes;
    if (bytes === 0) this.#break(stream, "a window grows by nothing");
    else if (stream.sendWindow > uint31Max) this.#break(stream, "a stream's window overflows");
    else this.#sendQueue.begin(stream);
  }

  #takeReset(streamId: number, code: number): void {
    const stream = this.#find(streamId);
    if (stream === undefined) return this.#guard.idle();
    const isRefused = code === errorCode.REFUSED_STREAM && !stream.hasHead;
    this.#finish(stream, isRefused ? { kind: "unprocessed", isRefused } : { kind: "reset", code });
  }

  /** Undefined: that stream is over. */
  #find(streamId: number): ClientStream | undefined {
    if (!this.#isReady) throw new Http2Error(errorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS");
    const stream = this.#streams.get(streamId);
    if (stream === undefined && (streamId % 2 === 0 || streamId >= this.#nextId))
      throw new Http2Error(errorCode.PROTOCOL_ERROR, `nobody opened stream ${streamId}`);
    return stream;
  }

  #complete(stream: ClientStream): void {
    const { announcedLeft, unsent } = stream;
    if (announcedLeft !== undefined && announcedLeft !== 0)
      return this.#break(stream, "the content has not the length that was announced");
    this.#guard.calm();
    // It answered without waiting for the rest of the request.
    if (unsent.length > 0) writeReset(this.#outbox, stream.id, errorCode.CANCEL);
    this.#finish(stream, { kind: "ended" });
  }

  #break(stream: ClientStream, message: string, isTooLarge = false): void {
    this.#guard.allow(lateFramesMax);
    writeReset(this.#outbox, stream.id, isTooLarge ? errorCode.CANCEL : errorCode.PROTOCOL_ERROR);
    this.#finish(stream, { kind: "broken", isTooLarge, message });
  }

  #finish(stream: ClientStream, end: StreamEnd): void {
    this.#forget(stream);
    stream.sink.onEnd(end);
    this.#makeRoom();
  }

  #forget(stream: ClientStream): void {
    this.#streams.delete(stream.id);
    this.#sendQueue.forget(stream);
  }

  #makeRoom(): void {
    this.#options.onRoom();
    // Nothing is left on it, and nothing will come.
    if (this.#streams.size === 0 && !this.isOpen()) this.end("the service went away");
  }
}

/** What a GOAWAY says beside its code, as far as it can be shown. */
function reasonIn(content: Uint8Array): string {
  const reason = String.fromCharCode(...content.subarray(8, 8 + reasonBytesMax)).replaceAll(/[^ -~]/g, "?");
  return reason === "" ? "" : ` (${reason})`;
}

const reasonBytesMax = 100;
