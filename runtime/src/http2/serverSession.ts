import { FloodGuard } from "./floodGuard.ts";
import {
  writeBlock,
  writeGoAway,
  writeReset,
  writeSettings,
  writeSmallContent,
  writeWindowUpdate,
} from "./frameWriter.ts";
import type { Outbox } from "./outbox.ts";
import { PeerTable } from "./peerTable.ts";
import { Pings } from "./pings.ts";
import { PrefaceReader } from "./prefaceReader.ts";
import { ReceiveWindow } from "./receiveWindow.ts";
import { ResetGuard } from "./resetGuard.ts";
import { SendQueue } from "./sendQueue.ts";
import { ServerStream } from "./serverStream.ts";
import type { IncomingRequest, RequestSink } from "./serverStream.ts";
import { StreamTable } from "./streamTable.ts";
import { takeSettings } from "./takeSettings.ts";
import { errorCode, frameFlag, frameType, Http2Error, uint31At, uint31Max } from "./wire/frame.ts";
import { FrameReader } from "./wire/frameReader.ts";
import { HeadReader } from "./wire/headReader.ts";
import { toRequestHead } from "./wire/requestHead.ts";
import type { RequestHead } from "./wire/requestHead.ts";
import { setting, settingsDefault } from "./wire/settings.ts";
import type { PeerSettings } from "./wire/settings.ts";

/** What a session has around it. */
export type ServerSessionOptions = {
  readonly outbox: Outbox;
  /** Bytes that the socket holds. */
  readonly unwrittenBytes: () => number;
  readonly now: () => number;
  /** Requests that are open at a time; more are refused. */
  readonly streamsMax: number;
  /** A request begins. It may be answered at once. */
  readonly onRequest: (stream: ServerStream, head: IncomingRequest) => RequestSink;
  /** The session is over: the socket is to be closed. */
  readonly onOver: (message: string) => void;
};

const streamWindowBytes = 1024 * 1024;
const connectionWindowBytes = 16 * 1024 * 1024;
/** As SETTINGS_MAX_HEADER_LIST_SIZE counts them. */
const listBytesMax = 64 * 1024;
/** Up to here lead and body are copied into one frame. */
const copiedBytesMax = 8 * 1024;
/** Of a stream that we have ended: its whole window in frames, and some more. */
const lateFramesMax = 100;

/**
 * The server's side of one HTTP/2 connection (RFC 9113), bytes in and bytes out: streams, windows, settings, pings, and what a client may not do. It knows no
 * socket and no time but what it is given, and nothing of gRPC. What comes on a stream is passed on at once: a bound on what is held belongs to who holds it.
 */
export class ServerSession {
  readonly #options: ServerSessionOptions;
  readonly #outbox: Outbox;
  readonly #streams = new StreamTable<ServerStream>();
  readonly #sendQueue: SendQueue<ServerStream>;
  readonly #receiveWindow = new ReceiveWindow(connectionWindowBytes);
  readonly #heads = new HeadReader<RequestHead>(listBytesMax, toRequestHead);
  readonly #guard: FloodGuard;
  readonly #resets: ResetGuard;
  readonly #preface = new PrefaceReader();
  readonly #reader: FrameReader;
  readonly #pings: Pings;
  readonly #peerTable = new PeerTable();
  #peer: PeerSettings = settingsDefault;
  /** The last stream that the client has opened, and the last of them that was looked at. */
  #lastId = 0;
  #lastTakenId = 0;
  #isReady = false;
  #isDraining = false;
  #isLeaving = false;
  #isOver = false;

  constructor(options: ServerSessionOptions) {
    this.#options = options;
    this.#outbox = options.outbox;
    this.#pings = new Pings(options.outbox);
    this.#sendQueue = new SendQueue(options.outbox, options.unwrittenBytes, (stream) => this.#sent(stream));
    this.#guard = new FloodGuard(options.now);
    this.#resets = new ResetGuard(options.now);
    this.#reader = new FrameReader({
      onContent: (streamId, piece, flowBytes, isEnd) => this.#takeContent(streamId, piece, flowBytes, isEnd),
      onBlock: (streamId, block, isEnd) => this.#takeBlock(streamId, block, isEnd),
      onFrame: (type, flags, streamId, content) => this.#takeFrame(type, flags, streamId, content),
    });
    const settings = [
      [setting.MAX_CONCURRENT_STREAMS, options.streamsMax],
      [setting.INITIAL_WINDOW_SIZE, streamWindowBytes],
      [setting.MAX_HEADER_LIST_SIZE, listBytesMax],
    ] as const;
    writeSettings(this.#outbox, settings, connectionWindowBytes - settingsDefault.windowBytes);
  }

  /** The client has spoken HTTP/2. */
  isReady(): boolean {
    return this.#isReady;
  }

  /** The client has been told to go elsewhere. */
  isDraining(): boolean {
    return this.#isDraining;
  }

  /** Requests that are open. */
  get size(): number {
    return this.#streams.size;
  }

  /** Begins an answer with a block of headers; with `isEnd` it is all of it. */
  sendHead(stream: ServerStream, block: Uint8Array, isEnd: boolean): void {
    if (stream.isOver) return;
    this.#writeBlock(stream, block, isEnd);
    if (isEnd) this.#answered(stream);
  }

  /** Sends content: a lead, which is copied, and a body, which nobody may change any more. False: it has to wait, and the sink is told when it has gone out. */
  sendContent(stream: ServerStream, lead: Uint8Array, body: Uint8Array): boolean {
    if (stream.isOver) return true;
    this.#guard.calm();
    const bytes = lead.length + body.length;
    const fits = bytes <= copiedBytesMax && bytes <= this.#sendQueue.roomFor(stream);
    if (fits && stream.unsent.length === 0 && !this.#sendQueue.isBehind()) {
      this.#sendQueue.took(stream, bytes);
      writeSmallContent(this.#outbox, stream.id, lead, body, false);
      return true;
    }
    const isNew = stream.unsent.length === 0;
    const pieces = [new Uint8Array(lead), body].filter((piece) => piece.length > 0);
    stream.unsent = [...stream.unsent, ...pieces];
    if (isNew && pieces.length > 0) this.#sendQueue.begin(stream);
    return stream.unsent.length === 0;
  }

  /** Ends an answer with a block of trailers, once its content has gone out; with `isCut` what of that waits is dropped. */
  sendTrailers(stream: ServerStream, block: Uint8Array, isCut = false): void {
    if (stream.isOver) return;
    if (isCut) this.#sendQueue.forget(stream);
    if (stream.unsent.length > 0) {
      stream.trailers = block;
      return;
    }
    this.#writeBlock(stream, block, true);
    this.#answered(stream);
  }

  /** Breaks a stream off. */
  reset(stream: ServerStream, code: number): void {
    if (stream.isOver) return;
    this.#guard.allow(lateFramesMax);
    writeReset(this.#outbox, stream.id, code);
    this.#finish(stream);
  }

  /** Asks whether the client is there; `onAnswer` is told when it says so. */
  ping(onAnswer: () => void): void {
    this.#pings.ask(onAnswer);
  }

  /** Tells the client to go elsewhere, and takes what it has sent before it knew (RFC 9113, section 6.8). */
  drain(): void {
    if (this.#isDraining || this.#isOver) return;
    this.#isDraining = true;
    writeGoAway(this.#outbox, uint31Max, errorCode.NO_ERROR);
    this.ping(() => this.leave());
  }

  /** Takes no new requests; over once those that are open have been answered. */
  leave(): void {
    if (this.#isLeaving || this.#isOver) return;
    this.#isDraining = true;
    this.#isLeaving = true;
    writeGoAway(this.#outbox, this.#lastTakenId, errorCode.NO_ERROR);
    this.#endIfIdle();
  }

  /** Takes what came. */
  receive(chunk: Uint8Array): void {
    if (this.#isOver) return;
    try {
      this.#reader.push(this.#preface.take(chunk));
    } catch (error) {
      if (!(error instanceof Http2Error)) throw error;
      this.endFor(error);
    }
  }

  /** Number of the block of headers that the client has begun and not finished; 0: there is none. */
  get openBlock(): number {
    return this.#reader.openBlock;
  }

  /** The socket takes more. */
  resume(): void {
    this.#sendQueue.pump();
  }

  /** Tells the client what it did wrong, and ends it. */
  endFor({ code, message }: Http2Error): void {
    if (!this.#isOver) writeGoAway(this.#outbox, this.#lastTakenId, code);
    this.end(`the client broke HTTP/2: ${message}`);
  }

  /** Ends it and all that is on it. */
  end(message: string): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#outbox.flush();
    const streams = this.#streams.values();
    for (const stream of streams) this.#forget(stream);
    for (const stream of streams) stream.sink.onOver();
    this.#options.onOver(message);
  }

  #takeContent(streamId: number, piece: Uint8Array, flowBytes: number, isEnd: boolean): void {
    const stream = this.#find(streamId);
    const more = this.#receiveWindow.take(flowBytes);
    if (more > 0) writeWindowUpdate(this.#outbox, 0, more);
    if (stream === undefined || (piece.length === 0 && !isEnd)) this.#guard.idle();
    else this.#guard.calm();
    if (stream === undefined) return;
    if (stream.isRequestWhole) return this.#break(stream, errorCode.STREAM_CLOSED);
    if (stream.announcedLeft !== undefined) {
      stream.announcedLeft -= piece.length;
      if (stream.announcedLeft < 0) return this.#break(stream, errorCode.PROTOCOL_ERROR);
    }
    if (piece.length > 0) stream.sink.onContent(piece);
    // The sink may have ended it.
    if (stream.isOver) return;
    if (isEnd) return this.#completeRequest(stream);
    const moreOfStream = stream.receiveWindow.take(flowBytes);
    if (moreOfStream > 0) writeWindowUpdate(this.#outbox, streamId, moreOfStream);
  }

  #takeBlock(streamId: number, block: Uint8Array, isEnd: boolean): void {
    if (!this.#isReady) throw new Http2Error(errorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS");
    if (streamId % 2 === 0) throw new Http2Error(errorCode.PROTOCOL_ERROR, `a client can't open stream ${streamId}`);
    // Also of a stream that is over or refused: the next block may build on it.
    const head = this.#heads.read(block);
    if (streamId > this.#lastId) return this.#open(streamId, head, isEnd);
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return this.#guard.idle();
    if (stream.isRequestWhole) return this.#break(stream, errorCode.STREAM_CLOSED);
    if (head.kind === "tooLarge") return this.#break(stream, errorCode.ENHANCE_YOUR_CALM);
    if (head.kind !== "trailers" || !isEnd) return this.#break(stream, errorCode.PROTOCOL_ERROR);
    this.#completeRequest(stream);
  }

  #open(streamId: number, head: RequestHead, isEnd: boolean): void {
    this.#lastId = streamId;
    // It was told that this is not looked at.
    if (this.#isLeaving || this.#isOver) return this.#guard.idle();
    this.#lastTakenId = streamId;
    if (this.#streams.size >= this.#options.streamsMax) {
      writeReset(this.#outbox, streamId, errorCode.REFUSED_STREAM);
      return this.#guard.idle();
    }
    switch (head.kind) {
      case "tooLarge":
        return this.#refuse(streamId, errorCode.ENHANCE_YOUR_CALM);
      case "malformed":
      case "trailers":
        return this.#refuse(streamId, errorCode.PROTOCOL_ERROR);
      case "request":
        return this.#begin(streamId, head, isEnd);
    }
  }

  #begin(streamId: number, head: IncomingRequest, isEnd: boolean): void {
    const stream = new ServerStream(streamId, this.#peer.windowBytes, streamWindowBytes, head.contentBytes);
    stream.beganMs = this.#options.now();
    this.#streams.add(stream);
    stream.isRequestWhole = isEnd;
    const sink = this.#options.onRequest(stream, head);
    if (stream.isOver) return sink.onOver();
    stream.sink = sink;
    if (isEnd) this.#completeRequest(stream);
  }

  #completeRequest(stream: ServerStream): void {
    if (stream.announcedLeft !== undefined && stream.announcedLeft !== 0)
      return this.#break(stream, errorCode.PROTOCOL_ERROR);
    stream.isRequestWhole = true;
    stream.sink.onWhole();
  }

  #takeFrame(type: number, flags: number, streamId: number, content: Uint8Array): void {
    if (!this.#isReady && (type !== frameType.SETTINGS || (flags & frameFlag.ACK) !== 0))
      throw new Http2Error(errorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS");
    switch (type) {
      case frameType.SETTINGS:
        return (flags & frameFlag.ACK) === 0 ? this.#takeSettings(content) : this.#guard.idle();
      case frameType.PING:
        this.#guard.idle();
        return this.#pings.take(flags, content);
      case frameType.WINDOW_UPDATE:
        return this.#takeWindowUpdate(streamId, uint31At(content, 0));
      case frameType.RST_STREAM:
        return this.#takeReset(streamId);
      // GOAWAY: we open no streams. PRIORITY, and what is unknown.
      default:
        return this.#guard.idle();
    }
  }

  #takeSettings(content: Uint8Array): void {
    this.#guard.idle();
    this.#peer = takeSettings(content, "client", this.#peer, {
      outbox: this.#outbox,
      streams: this.#streams,
      sendQueue: this.#sendQueue,
      peerTable: this.#peerTable,
    });
    this.#isReady = true;
    this.#sendQueue.beginAll(this.#streams.values());
  }

  #takeWindowUpdate(streamId: number, bytes: number): void {
    const stream = streamId === 0 ? undefined : this.#find(streamId);
    if (streamId === 0) this.#sendQueue.grow(bytes);
    else if (stream !== undefined) this.#growStream(stream, bytes);
    this.#guard.opened(this.#sendQueue.sentCount);
  }

  #growStream(stream: ServerStream, bytes: number): void {
    if (bytes === 0) return this.#break(stream, errorCode.PROTOCOL_ERROR);
    stream.sendWindow += bytes;
    if (stream.sendWindow > uint31Max) this.#break(stream, errorCode.FLOW_CONTROL_ERROR);
    else this.#sendQueue.begin(stream);
  }

  #takeReset(streamId: number): void {
    const stream = this.#find(streamId);
    if (stream === undefined) return this.#guard.idle();
    this.#finish(stream);
    this.#resets.take(stream.beganMs);
  }

  /** Undefined: that stream is over. */
  #find(streamId: number): ServerStream | undefined {
    if (!this.#isReady) throw new Http2Error(errorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS");
    if (streamId % 2 === 0 || streamId > this.#lastId)
      throw new Http2Error(errorCode.PROTOCOL_ERROR, `nobody opened stream ${streamId}`);
    return this.#streams.get(streamId);
  }

  #writeBlock({ id }: ServerStream, block: Uint8Array, isEnd: boolean): void {
    const out = { bytes: block, length: block.length, isEnd, isTableCut: this.#peerTable.takeCut() };
    writeBlock(this.#outbox, id, out, this.#peer.frameBytes);
  }

  #sent(stream: ServerStream): void {
    const { trailers } = stream;
    if (trailers === undefined) return stream.sink.onSent();
    this.#writeBlock(stream, trailers, true);
    this.#answered(stream);
  }

  #answered(stream: ServerStream): void {
    this.#guard.calm();
    if (!stream.isRequestWhole) {
      // Nobody waits for the rest (RFC 9113, section 8.1).
      this.#guard.allow(lateFramesMax);
      writeReset(this.#outbox, stream.id, errorCode.NO_ERROR);
    }
    this.#finish(stream);
  }

  /** The client has broken a rule on a stream. */
  #break(stream: ServerStream, code: number): void {
    this.reset(stream, code);
    this.#resets.take();
  }

  /** A request that can't be taken up. */
  #refuse(streamId: number, code: number): void {
    this.#guard.allow(lateFramesMax);
    writeReset(this.#outbox, streamId, code);
    this.#resets.take();
  }

  #finish(stream: ServerStream): void {
    this.#forget(stream);
    stream.sink.onOver();
    this.#endIfIdle();
  }

  #forget(stream: ServerStream): void {
    stream.isOver = true;
    this.#streams.delete(stream.id);
    this.#sendQueue.forget(stream);
  }

  #endIfIdle(): void {
    if (this.#isLeaving && this.#streams.size === 0) this.end("the last request was answered");
  }
}
