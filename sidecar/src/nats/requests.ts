import { createInbox } from "@nats-io/transport-node";
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import { KeyTable } from "../../../proto/wire/keyTable.ts";
import { Deadlines } from "../../../runtime/src/deadlines.ts";
import type { Deadline, Timed } from "../../../runtime/src/deadlines.ts";
import { MessageWriter } from "../../../runtime/src/messageWriter.ts";

/** What came of a question. */
export type Answer =
  | { readonly kind: "answer"; readonly data: Uint8Array }
  /** Nobody listens. */
  | { readonly kind: "nobody" }
  /** Nobody has answered in time. */
  | { readonly kind: "silence" };

const noResponders = 503;
const nobody: Answer = { kind: "nobody" };
const silence: Answer = { kind: "silence" };

/** A question that waits for its answer. */
export interface Asking {
  /** Nobody waits for the answer any more; nothing of it is kept. */
  forget(): void;
}

/**
 * Questions over one inbox and one timer. The client's own `request` makes two timers' worth of promises for each and an error with a stack even for one
 * that was answered.
 */
export class Requests {
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

  /** Questions that wait. */
  get size(): number {
    return this.#waiting.size;
  }

  /** Nobody will answer any more what has been asked so far, as over a connection that was lost: all who wait are told of silence. */
  giveUp(): void {
    for (const asked of this.#waiting.values()) asked.expire();
  }

  /** Asks; `onAnswer` is told once, unless it is forgotten. Throws what publishing does. */
  ask(subject: string, data: Uint8Array, timeoutMs: number, onAnswer: (answer: Answer) => void): Asking {
    const reply = this.#inbox + (this.#count++).toString(36);
    this.#writer.write(subject, data, reply, "");
    this.#writer.flush();
    const asked = new Asked(reply, this.#waiting, this.#deadlines, onAnswer);
    asked.deadline = this.#deadlines.add(asked, timeoutMs);
    this.#waiting.add(asked);
    return asked;
  }
}

class Asked implements Asking, Timed {
  /** Where the answer goes. */
  readonly key: string;
  readonly #waiting: KeyTable<Asked>;
  readonly #deadlines: Deadlines;
  readonly #onAnswer: (answer: Answer) => void;
  deadline: Deadline | undefined;

  constructor(key: string, waiting: KeyTable<Asked>, deadlines: Deadlines, onAnswer: (answer: Answer) => void) {
    this.key = key;
    this.#waiting = waiting;
    this.#deadlines = deadlines;
    this.#onAnswer = onAnswer;
  }

  settle(answer: Answer): void {
    this.forget();
    this.#onAnswer(answer);
  }

  forget(): void {
    this.#waiting.delete(this.key);
    if (this.deadline !== undefined) this.#deadlines.over(this.deadline);
  }

  expire(): void {
    this.settle(silence);
  }
}

function toAnswer(message: Msg): Answer {
  const { data } = message;
  return data.length === 0 && message.headers?.code === noResponders ? nobody : { kind: "answer", data };
}
