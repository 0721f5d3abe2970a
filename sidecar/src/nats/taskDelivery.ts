import { nanos } from "@nats-io/nats-core";
import type { NatsConnection } from "@nats-io/nats-core";
import { MessageWriter } from "../../../runtime/src/messageWriter.ts";
import { atTurnEnd } from "../../../runtime/src/turnEnd.ts";
import type { DeliveryAge } from "../core/admission.ts";
import type { DeliveryFacts } from "../core/delivery.ts";
import type { GivenBack } from "../core/givenBack.ts";
import type { Delivery } from "../ports.ts";

const encoder = new TextEncoder();
const acknowledge = encoder.encode("+ACK");
const extend = encoder.encode("+WPI");

/** A message of a consumer of tasks, and how it is answered. */
export class TaskDelivery implements Delivery {
  readonly body: Uint8Array;
  readonly delivery: number;
  readonly streamSequence: number;
  readonly storedAtMs: number;
  readonly receivedAtMs = Date.now();
  readonly age: DeliveryAge;
  readonly isFirst: boolean;
  readonly #answers: Answers;
  readonly #givenBack: GivenBack;
  readonly #subject: string;

  /** `subject`: where its answers go. `age` and `isFirst`: what the consumer's `givenBack` makes of it. */
  constructor(
    { answers, givenBack }: { readonly answers: Answers; readonly givenBack: GivenBack },
    subject: string,
    facts: DeliveryFacts & { readonly age: DeliveryAge; readonly isFirst: boolean },
    body: Uint8Array,
  ) {
    this.body = body;
    this.delivery = facts.delivery;
    this.streamSequence = facts.streamSequence;
    this.storedAtMs = facts.storedAtMs;
    this.age = facts.age;
    this.isFirst = facts.isFirst;
    this.#answers = answers;
    this.#givenBack = givenBack;
    this.#subject = subject;
  }

  ack(): void {
    this.#answers.say(this.#subject, acknowledge);
  }

  nak(delayMs: number, isUnbegun = false): void {
    if (isUnbegun) this.#givenBack.note(this, performance.now());
    this.#answers.say(this.#subject, encoder.encode(`-NAK {"delay":${nanos(delayMs)}}`));
  }

  extend(): void {
    this.#answers.say(this.#subject, extend);
  }

  discard(reason: string): void {
    this.#answers.say(this.#subject, encoder.encode(`+TERM ${reason}`));
  }
}

/** Answers to deliveries: those of one turn of the event loop go out at its end, in the same write as what was published in it. */
export class Answers {
  readonly #writer: MessageWriter;
  readonly #sendSoon = (): void => this.#send();
  #due: { readonly subject: string; readonly body: Uint8Array }[] = [];

  constructor(connection: NatsConnection) {
    this.#writer = new MessageWriter(connection);
  }

  say(subject: string, body: Uint8Array): void {
    if (this.#due.push({ subject, body }) === 1) atTurnEnd(this.#sendSoon);
  }

  #send(): void {
    const due = this.#due;
    this.#due = [];
    for (const { subject, body } of due) {
      try {
        this.#writer.write(subject, body, "", "");
      } catch {
        // The connection is being closed, or is: nothing can be said any more. The task comes again, and the owner is asked.
      }
    }
    this.#writer.flush();
  }
}
