import { headers as emptyHeaders } from "@nats-io/transport-node";
import type { MsgHdrs } from "@nats-io/transport-node";

const none: MsgHdrs = emptyHeaders();

/** Headers that are written once as text: the client's own map costs some 10 µs a message. Only good for publishing. */
export class HeaderText implements MsgHdrs {
  readonly hasError = false;
  readonly status = "";
  readonly code = 0;
  readonly description = "";
  readonly #lines: string;
  constructor(lines: string) {
    this.#lines = lines;
  }
  /** Called by the client when it writes the message. */
  encode(): Uint8Array {
    return Buffer.from(`NATS/1.0\r\n${this.#lines}\r\n`);
  }
  get(): string {
    return "";
  }
  set(): void {}
  append(): void {}
  has(): boolean {
    return false;
  }
  keys(): string[] {
    return [];
  }
  values(): string[] {
    return [];
  }
  delete(): void {}
  last(): string {
    return "";
  }
  [Symbol.iterator](): Iterator<[string, string[]]> {
    return none[Symbol.iterator]();
  }
}
