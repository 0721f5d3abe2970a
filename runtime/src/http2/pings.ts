import { writePing } from "./frameWriter.ts";
import type { Outbox } from "./outbox.ts";
import { frameFlag } from "./wire/frame.ts";

/** The same each time: answers come in the order of the questions. */
const content = Uint8Array.from([0x73, 0x69, 0x64, 0x65, 0x73, 0x74, 0x65, 0x70]);

/** Pings of a connection, ours and the peer's (RFC 9113, section 6.7). */
export class Pings {
  readonly #outbox: Outbox;
  readonly #waiting: (() => void)[] = [];

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  /** Asks whether the peer is there; `onAnswer` is told when it says so. */
  ask(onAnswer: () => void): void {
    this.#waiting.push(onAnswer);
    writePing(this.#outbox, content, false);
  }

  /** Takes a PING frame: answers the peer's, and tells of the answer to ours. */
  take(flags: number, asked: Uint8Array): void {
    if ((flags & frameFlag.ACK) === 0) writePing(this.#outbox, asked, true);
    else this.#waiting.shift()?.();
  }
}
