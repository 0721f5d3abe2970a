import { createInbox } from "@nats-io/transport-node";
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import { KeyTable } from "../../../proto/wire/keyTable.ts";
import { Deadlines } from "../../../runtime/src/deadlines.ts";
import type { Deadline, Timed } from "../../../runtime/src/deadlines.ts";
import { MessageWriter } from "../../../runtime/src/messageWriter.ts";

/** What came of a question. */
export type MeshAnswer =
  | { readonly kind: "answer"; readonly data: Uint8Array }
  /** Nobody listens. */
  | { readonly kind: "nobody" }
  /** Nobody has answered in time. */
  | { readonly kind: "silence" };

const noResponders = 503;
const nobody: MeshAnswer = { kind: "nobody" };
const silence: MeshAnswer = { kind: "silence" };

/**
 * Questions over one inbox and one timer. The client's own `request` makes two timers' worth of promises for each and an error with a stack even for one
 * that was answered.
 */
export class MeshAsks {
  readonly #writer: MessageWriter;
  readonly #inbox = `${createInbox()}.`;
  readonly #waiting = new KeyTable<Asked>();
  readonly #deadlines = new Deadlines();
  #count = 0;

  /** It listens for as long as the connection is there. */
  constructor(connection: NatsConnection) {
    this.#writer = new MessageWriter(connection);
    connection.subscribe(`${this.#inbox}*`, {
      callback: (error, message) => {
        if (error === null) this.#waiting.get(message.subject)?.settle(toAnswer(message));
      },
    });
  }

  /** Asks. Throws what publishing does. */
  ask(subject: string, data: Uint8Array, timeoutMs: number): Promise<MeshAnswer> {
    const reply = this.#inbox + (this.#count++).toString(36);
    this.#writer.write(subject, data, reply, "");
    this.#writer.flush();
    return new Promise((resolve) => {
      const asked = new Asked(reply, (answer) => {
        this.#waiting.delete(reply);
        this.#deadlines.over(deadline);
        resolve(answer);
      });
      const deadline: Deadline = this.#deadlines.add(asked, timeoutMs);
      this.#waiting.add(asked);
    });
  }
}

class Asked implements Timed {
  /** Where the answer goes. */
  readonly key: string;
  readonly settle: (answer: MeshAnswer) => void;

  constructor(key: string, settle: (answer: MeshAnswer) => void) {
    this.key = key;
    this.settle = settle;
  }

  expire(): void {
    this.settle(silence);
  }
}

function toAnswer(message: Msg): MeshAnswer {
  const { data } = message;
  return data.length === 0 && message.headers?.code === noResponders ? nobody : { kind: "answer", data };
}
