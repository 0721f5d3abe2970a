import { once } from "node:events";
import net from "node:net";
import type { Socket } from "node:net";
import { frameHeaderBytes, frameType } from "../wire/frame.ts";
import { framesIn } from "./frames.ts";
import type { CameFrame } from "./frames.ts";

const prefaceBytes = 24;

/** One connection of a client, as a server that does only what a test tells it. */
export class Accepted {
  readonly socket: Socket;
  readonly frames: CameFrame[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #isPrefaceRead = false;
  #change = Promise.withResolvers<void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => this.#take(chunk));
    socket.on("close", () => this.#tell());
  }

  send(...parts: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  /** Waits until a frame that fits has come, and returns the first. */
  async frame(type: number, fits: (frame: CameFrame) => boolean = () => true): Promise<CameFrame> {
    for (;;) {
      const found = this.frames.find((one) => one.type === type && fits(one));
      if (found !== undefined) return found;
      if (this.socket.destroyed) throw new Error(`the client is gone, without a frame of type ${type}`);
      await this.#change.promise;
    }
  }

  /** Waits until so many requests have come whole; returns the numbers of their streams. */
  async requests(count: number): Promise<readonly number[]> {
    const ends = () => this.frames.filter(({ type, flags }) => type === frameType.DATA && (flags & 1) !== 0);
    while (ends().length < count) await this.#change.promise;
    return ends().map(({ streamId }) => streamId);
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    if (!this.#isPrefaceRead && this.#bytes.length >= prefaceBytes) {
      this.#isPrefaceRead = true;
      this.#bytes = this.#bytes.subarray(prefaceBytes);
    }
    if (this.#isPrefaceRead) {
      const came = framesIn(this.#bytes);
      this.frames.push(...came);
      const read = came.reduce((sum, { content }) => sum + frameHeaderBytes + content.length, 0);
      this.#bytes = this.#bytes.subarray(read);
    }
    this.#tell();
  }

  #tell(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }
}

/** A server that leaves all talking to the test. */
export class ScriptedServer implements Disposable {
  readonly #server = net.createServer((socket) => {
    const accepted = new Accepted(socket);
    this.#all.push(accepted);
    this.#waiting.shift()?.(accepted);
  });
  readonly #all: Accepted[] = [];
  readonly #waiting: ((accepted: Accepted) => void)[] = [];
  #taken = 0;

  async listen(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /** The next connection that nobody has asked for yet. */
  accept(): Promise<Accepted> {
    const ready = this.#all[this.#taken];
    this.#taken += 1;
    return ready === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(ready);
  }

  [Symbol.dispose](): void {
    for (const { socket } of this.#all) socket.destroy();
    this.#server.close();
  }
}
