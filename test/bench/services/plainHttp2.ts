// A gRPC service that costs next to nothing: HTTP/2 on plain sockets, one method, answers the bytes it is asked. No TLS, no push, no priorities. Arguments:
// port, milliseconds that each answer takes.
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { HeaderBlocks } from "./headerBlock.ts";

const [port = "0", delay = "0"] = process.argv.slice(2);
const delayMs = Number(delay);
const method = "/bench.v1.Echo/Say";
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".length;
const frameHeader = 9;
const type = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, windowUpdate: 8, continuation: 9 } as const;
const flag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const;
const windowBytes = 2 ** 30;
const windowTold = 2 ** 24;

/** `:status: 200`, `content-type`, and `grpc-status`: nothing is to be remembered, as the sidecar asks for and other servers do then. */
const literal = (start: number[], ...texts: string[]): Buffer =>
  Buffer.concat([Buffer.from(start), ...texts.map((text) => Buffer.from([text.length, ...Buffer.from(text)]))]);
const ok = 0x88;
const headers = Buffer.concat([Buffer.from([ok]), literal([0x0f, 0x10], "application/grpc")]);
const trailers = literal([0x00], "grpc-status", "0");
const unknownMethod = Buffer.concat([headers, literal([0x00], "grpc-status", "12")]);

/** A block of header fields that is coming in. */
interface Block {
  readonly stream: number;
  readonly flags: number;
  readonly parts: Buffer[];
}

class Connection {
  readonly #socket: Socket;
  readonly #blocks = new HeaderBlocks();
  readonly #requests = new Map<number, Buffer[]>();
  #rest: Buffer = Buffer.alloc(0);
  #isGreeted = false;
  #block: Block | undefined;
  #out: Buffer[] = [];
  #isFlushing = false;
  #received = 0;
  /** What the peer still takes of data. */
  #window = 65_535;
  readonly #held: (() => void)[] = [];

  constructor(socket: Socket) {
    this.#socket = socket.setNoDelay();
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", () => socket.destroy());
    const settings = Buffer.alloc(6);
    settings.writeUInt16BE(4, 0);
    settings.writeUInt32BE(windowBytes, 2);
    this.#send(type.settings, 0, 0, settings);
    this.#send(type.windowUpdate, 0, 0, uint32(windowBytes));
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    if (!this.#isGreeted && bytes.length >= preface) {
      this.#isGreeted = true;
      at = preface;
    }
    while (this.#isGreeted && bytes.length - at >= frameHeader) {
      const length = bytes.readUIntBE(at, 3);
      if (bytes.length - at < frameHeader + length) break;
      const from = at + frameHeader;
      const stream = bytes.readUInt32BE(at + 5) & 0x7fff_ffff;
      this.#take(bytes[at + 3] ?? 0, bytes[at + 4] ?? 0, stream, bytes.subarray(from, from + length));
      at = from + length;
    }
    this.#rest = bytes.subarray(at);
  }

  #take(kind: number, flags: number, stream: number, body: Buffer): void {
    switch (kind) {
      case type.headers: {
        const own = unpadded(flags, body);
        this.#onBlock({ stream, flags, parts: [(flags & flag.priority) === 0 ? own : own.subarray(5)] }, flags);
        break;
      }
      case type.continuation:
        if (this.#block === undefined) throw new Error("a continuation of nothing");
        this.#block.parts.push(body);
        this.#onBlock(this.#block, flags);
        break;
      case type.data:
        this.#received += body.length;
        if (this.#received > windowTold) {
          this.#send(type.windowUpdate, 0, 0, uint32(this.#received));
          this.#received = 0;
        }
        this.#requests.get(stream)?.push(unpadded(flags, body));
        if ((flags & flag.endStream) !== 0) this.#answer(stream);
        break;
      case type.settings:
        if ((flags & flag.ack) === 0) this.#send(type.settings, flag.ack, 0, Buffer.alloc(0));
        break;
      case type.ping:
        if ((flags & flag.ack) === 0) this.#send(type.ping, flag.ack, 0, Buffer.from(body));
        break;
      case type.windowUpdate:
        if (stream !== 0) break;
        this.#window += body.readUInt32BE(0);
        this.#held.splice(0).forEach((again) => again());
        break;
      case type.reset:
        this.#requests.delete(stream);
    }
  }

  #onBlock(block: Block, flags: number): void {
    this.#block = (flags & flag.endHeaders) === 0 ? block : undefined;
    if (this.#block !== undefined) return;
    const path = this.#blocks.pathOf(joined(block.parts));
    if (path === method) this.#requests.set(block.stream, []);
    else if (path !== undefined) {
      this.#send(type.headers, flag.endHeaders | flag.endStream, block.stream, unknownMethod);
      if ((block.flags & flag.endStream) === 0) this.#send(type.reset, 0, block.stream, uint32(0));
    }
  }

  #answer(stream: number): void {
    const parts = this.#requests.get(stream);
    if (parts === undefined) return;
    const body = joined(parts);
    if (delayMs === 0) this.#write(stream, body);
    else setTimeout(() => this.#write(stream, Buffer.from(body)), delayMs);
  }

  #write(stream: number, body: Buffer): void {
    if (!this.#requests.has(stream)) return;
    if (this.#window < body.length) {
      const kept = Buffer.from(body);
      this.#held.push(() => this.#write(stream, kept));
      return;
    }
    this.#requests.delete(stream);
    this.#window -= body.length;
    const bytes = Buffer.allocUnsafe(3 * frameHeader + headers.length + body.length + trailers.length);
    let at = putFrame(bytes, 0, type.headers, flag.endHeaders, stream, headers);
    at = putFrame(bytes, at, type.data, 0, stream, body);
    putFrame(bytes, at, type.headers, flag.endHeaders | flag.endStream, stream, trailers);
    this.#flushSoon(bytes);
  }

  #send(kind: number, flags: number, stream: number, body: Buffer): void {
    const bytes = Buffer.allocUnsafe(frameHeader + body.length);
    putFrame(bytes, 0, kind, flags, stream, body);
    this.#flushSoon(bytes);
  }

  /** What is answered in one turn of the event loop goes out in one write. */
  #flushSoon(bytes: Buffer): void {
    this.#out.push(bytes);
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      this.#socket.write(joined(this.#out));
      this.#out = [];
    });
  }
}

function putFrame(bytes: Buffer, at: number, kind: number, flags: number, stream: number, body: Buffer): number {
  bytes.writeUIntBE(body.length, at, 3);
  bytes[at + 3] = kind;
  bytes[at + 4] = flags;
  bytes.writeUInt32BE(stream, at + 5);
  body.copy(bytes, at + frameHeader);
  return at + frameHeader + body.length;
}

function joined(parts: readonly Buffer[]): Buffer {
  const [first, ...others] = parts;
  return first !== undefined && others.length === 0 ? first : Buffer.concat(parts);
}

function unpadded(flags: number, body: Buffer): Buffer {
  return (flags & flag.padded) === 0 ? body : body.subarray(1, body.length - (body[0] ?? 0));
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value, 0);
  return bytes;
}

const server = createServer((socket) => void new Connection(socket));
server.listen(Number(port), "127.0.0.1", () => console.log(`READY ${JSON.stringify(server.address())}`));
