import type { ParkedMessage } from "../../../proto/gen/sidestep/internal/v1/trigger.ts";
import type { EventMessage } from "../engine/event/content.ts";

/** A message that a consumer has given out. */
export interface EventDelivery {
  readonly message: EventMessage;
  readonly subject: string;
  readonly stream: string;
  readonly sequence: number;
  readonly storedMs: number;
  /** How often it has been given out, this time included. */
  readonly deliveries: number;
  /** It is done with. What is lost of this is given out again. */
  ack(): void;
  /** It is given out again after so long. */
  again(delayMs: number): void;
}

/** Somebody else's stream, and what it takes in. */
export interface OtherStream {
  readonly name: string;
  readonly subjects: readonly string[];
}

/** A consumer of a trigger in a stream. */
export interface TriggerConsumer {
  /** "<workflow>/<trigger>". */
  readonly trigger: string;
  /** Empty: ours. */
  readonly stream: string;
}

/** NATS has made it, or says why it never will. */
export type Made = { readonly kind: "made" } | { readonly kind: "refused"; readonly message: string };

export interface Lag {
  /** Messages that nobody has been given, and those that somebody has and has not acknowledged. */
  readonly waiting: number;
  readonly inHands: number;
}

/** The streams that triggers are fed from. What throws does so because NATS does not answer. */
export interface EventStreams {
  /** Streams of others that take in some of what the pattern stands for. */
  colliding(pattern: string): Promise<readonly OtherStream[]>;
  /** Has our stream take in what comes over HTTP, and these subjects; no two of them collide. */
  capture(subjects: readonly string[]): Promise<Made>;
  /** Makes the consumer, or has it give out these subjects from now on; new, it begins with what comes next. */
  ensureConsumer(consumer: TriggerConsumer, subjects: readonly string[]): Promise<Made>;
  /** No such consumer, or stream: that is well. */
  removeConsumer(consumer: TriggerConsumer): Promise<void>;
  /** Undefined: there is no such consumer. */
  lagOf(consumer: TriggerConsumer): Promise<Lag | undefined>;
  /** Gives out messages, so many at most at a time, until what it returns is disposed of; what is given out by then is finished. */
  listen(consumer: TriggerConsumer, inHandsMax: number, take: (delivery: EventDelivery) => Promise<void>): Disposable;
  /** Where HTTP puts what is for a trigger. */
  hookSubject(trigger: string): string;
  /** Stores what came over HTTP; the same id again within two minutes is dropped. */
  putHook(
    trigger: string,
    id: string,
    message: EventMessage,
  ): Promise<{ readonly kind: "stored" } | { readonly kind: "unavailable"; readonly message: string }>;
  /** Undefined: the stream has it no more. */
  read(stream: string, sequence: number): Promise<EventMessage | undefined>;
}

/** A message that is parked, by its id, and where it stands. */
export interface Parked {
  readonly id: string;
  readonly parked: ParkedMessage;
  readonly position: number;
}

/** What triggers can't take. Reads throw when NATS does not answer. */
export interface ParkedStore {
  /** Durable when it is true. The same message again takes the place of the first. */
  put(id: string, parked: ParkedMessage): Promise<boolean>;
  /** In the order of parking, after a position. */
  page(trigger: string, after: number, limit: number): Promise<readonly Parked[]>;
  read(trigger: string, id: string): Promise<Parked | undefined>;
  remove(trigger: string, id: string): Promise<void>;
  removeAll(trigger: string): Promise<number>;
  /** How many, by trigger's token (`tokenOf`). */
  counts(): Promise<ReadonlyMap<string, number>>;
  tokenOf(trigger: string): string;
}
