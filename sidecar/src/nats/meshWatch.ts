import { MeshAsk, MeshState } from "../../../proto/gen/sidestep/internal/v1/relay.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import type { MeshAsks } from "./meshAsks.ts";

/** What is known of called services. */
export interface MeshKnowledge {
  /** Methods that have said of themselves that they may be called twice. */
  readonly idempotent: Set<string>;
  /** Subjects at which somebody has answered for a service: that nobody does says something there. */
  readonly answering: Set<string>;
}

/** Where whoever has a call of a method is asked for it. */
export interface MeshPlace {
  readonly subject: string;
  readonly method: string;
}

/** A call under way. */
export interface WatchedCall {
  readonly id: Uint8Array;
  readonly everyMs: number;
  readonly isGivenUp: () => boolean;
  /** Nobody has it any more, although its answer did not come. */
  readonly onLost: () => void;
}

interface Watched extends WatchedCall {
  readonly place: MeshPlace;
  dueMs: number;
  misses: number;
  isAsking: boolean;
}

/** Methods that a service has told of; it calls no more than it was built to. */
const methodsMax = 10_000;
/** So often in a row nobody has it: a message may get lost, and a process be busy. */
const missesMax = 3;
const lookEveryMs = 100;
const nobodysCall = new Uint8Array();

/** Remembers that a method may be called twice. */
export function learn({ idempotent }: MeshKnowledge, method: string, isIdempotent: boolean): void {
  if (isIdempotent && idempotent.size < methodsMax) idempotent.add(method);
}

/**
 * Asks again and again who has the calls that are under way for longer. Where nobody of a service answers such questions nothing is known, and it
 * waits on. One timer for all of them: most calls are over before it looks at them.
 */
export class MeshWatch {
  readonly #nats: Nats;
  readonly #asks: MeshAsks;
  readonly #knowledge: MeshKnowledge;
  readonly #watched = new Set<Watched>();
  /** When somebody was asked last there where nobody has answered yet; of the services that may be called. */
  readonly #introducedMs = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(nats: Nats, asks: MeshAsks, knowledge: MeshKnowledge) {
    this.#nats = nats;
    this.#asks = asks;
    this.#knowledge = knowledge;
  }

  /** Asks any sidecar of the service about a method, if none of it has answered yet, nor been asked within that time. */
  introduce(place: MeshPlace, withinMs: number): void {
    const { subject } = place;
    if (this.#knowledge.answering.has(subject)) return;
    const nowMs = performance.now();
    if (nowMs - (this.#introducedMs.get(subject) ?? Number.NEGATIVE_INFINITY) < withinMs) return;
    this.#introducedMs.set(subject, nowMs);
    void this.#isAnswered(place, nobodysCall, withinMs);
  }

  /** Watches a call until what is returned is called, or it is lost. */
  begin(place: MeshPlace, call: WatchedCall): () => void {
    const watched = { ...call, place, dueMs: performance.now() + call.everyMs, misses: 0, isAsking: false };
    this.#watched.add(watched);
    this.#timer ??= setInterval(() => this.#look(), lookEveryMs);
    return () => void this.#watched.delete(watched);
  }

  #look(): void {
    const nowMs = performance.now();
    for (const watched of this.#watched) {
      if (watched.isGivenUp()) this.#watched.delete(watched);
      else if (!watched.isAsking && nowMs >= watched.dueMs) void this.#ask(watched, nowMs);
    }
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #ask(watched: Watched, nowMs: number): Promise<void> {
    const { place, id, everyMs } = watched;
    watched.dueMs = nowMs + everyMs;
    watched.isAsking = true;
    const isKnown = this.#knowledge.answering.has(place.subject);
    const isAnswered = await this.#isAnswered(place, isKnown ? id : nobodysCall, everyMs);
    watched.isAsking = false;
    // Without a connection nothing is heard of anybody.
    if (isAnswered || !this.#nats.isConnected()) watched.misses = 0;
    else if (isKnown) watched.misses++;
    if (watched.misses >= missesMax && this.#watched.delete(watched)) watched.onLost();
  }

  async #isAnswered({ subject, method }: MeshPlace, id: Uint8Array, withinMs: number): Promise<boolean> {
    if (!this.#nats.isConnected()) return false;
    try {
      const answer = await this.#asks.ask(subject, MeshAsk.encode({ id, method }).finish(), withinMs);
      if (answer.kind !== "answer") return false;
      learn(this.#knowledge, method, MeshState.decode(answer.data).isIdempotent);
      this.#knowledge.answering.add(subject);
      return true;
    } catch {
      // It can't be sent, or is no answer: he may be there all the same.
      return false;
    }
  }
}
