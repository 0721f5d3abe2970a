import { errors, NatsConnectionImpl } from "@nats-io/transport-node";
import type { NatsConnection } from "@nats-io/transport-node";

const slabBytes = 64 * 1024;
/** A larger body is passed on as it is. */
const copiedBytesMax = 16 * 1024;
const blank = /\s/;
const lineEnd = new Uint8Array([13, 10]);

/**
 * Publishes as the connection itself does, for what is published thousands of times a second: messages are written one after the other into memory
 * that goes to the connection whole, where `publish` makes some ten objects of each and copies them twice. They leave with `flush`, at the latest in
 * this turn of the event loop.
 */
export class MessageWriter {
  readonly #connection: NatsConnectionImpl;
  #slab: Buffer = Buffer.alloc(0);
  #from = 0;
  #to = 0;

  constructor(connection: NatsConnection) {
    // The one that every transport has; the interface does not show what it sends through.
    if (!(connection instanceof NatsConnectionImpl)) throw new TypeError("a connection that is none of the client's");
    this.#connection = connection;
  }

  /** `reply` empty: none. `headers`: lines that end with CR and LF; empty for none. Throws what the connection would. */
  write(subject: string, data: Uint8Array, reply: string, headers: string): void {
    const { protocol, info } = this.#connection;
    if (this.#connection.isClosed()) throw new errors.ClosedConnectionError();
    if (protocol.noMorePublishing) throw new errors.DrainingConnectionError();
    if (subject === "" || blank.test(subject)) throw new errors.InvalidSubjectError(subject);
    const block = headers === "" ? "" : `NATS/1.0\r\n${headers}\r\n`;
    const blockBytes = Buffer.byteLength(block);
    const bytes = blockBytes + data.length;
    if (info !== undefined && bytes > info.max_payload)
      throw new errors.InvalidArgumentError("payload max_payload size exceeded");
    protocol.outBytes += bytes;
    protocol.outMsgs += 1;
    const to = reply === "" ? subject : `${subject} ${reply}`;
    const head = block === "" ? `PUB ${to} ${bytes}\r\n` : `HPUB ${to} ${blockBytes} ${bytes}\r\n${block}`;
    this.#put(head, data);
  }

  /** Hands over what was written. */
  flush(): void {
    if (this.#to === this.#from) return;
    const written = this.#slab.subarray(this.#from, this.#to);
    this.#from = this.#to;
    this.#connection.protocol.sendCommand(written);
  }

  #put(head: string, data: Uint8Array): void {
    const isCopied = data.length <= copiedBytesMax;
    // A character has three bytes at the most.
    const room = 3 * head.length + (isCopied ? data.length + lineEnd.length : 0);
    if (this.#slab.length - this.#to < room) {
      this.flush();
      this.#slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, room));
      this.#from = this.#to = 0;
    }
    this.#to += this.#slab.write(head, this.#to);
    if (!isCopied) {
      this.flush();
      return this.#connection.protocol.sendCommand(data, lineEnd);
    }
    this.#slab.set(data, this.#to);
    this.#to += data.length;
    this.#slab.set(lineEnd, this.#to);
    this.#to += lineEnd.length;
  }
}
