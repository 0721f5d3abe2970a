import { MeshAsk, MeshState } from "../../../proto/gen/sidestep/internal/v1/relay.ts";
import { Deadlines } from "../../../runtime/src/deadlines.ts";
import type { Deadline, Timed } from "../../../runtime/src/deadlines.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import type { Requests } from "./requests.ts";

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
  /** Nobody has it any more, although its answer did not come. */
  readonly onLost: () => void;
}

/** Methods that a service has told of; it calls no more than it was built to. */
const methodsMax = 10_000;
/** So often in a row nobody has it: a message may get lost, and a process be busy. */
const missesMax = 3;
const nobodysCall = new Uint8Array();

/** Remembers that a method may be called twice. */
export function learn({ idempotent }: MeshKnowledge, method: string, isIdempotent: boolean): void {
  if (isIdempotent && idempotent.size < methodsMax) idempotent.add(method);
}

/**
 * Asks again and again who has the calls that are under way for longer. Where nobody of a service answers such questions nothing is known, and it
 * waits on. One timer for all of them: most calls are over long before they are asked for.
 */
export class MeshWatch {
  readonly #nats: Nats;
  readonly #asks: Requests;
  readonly #knowledge: MeshKnowledge;
  readonly #deadlines = new Deadlines();
  /** When somebody was asked last there where nobody has answered yet; of the services that may be called. */
  readonly #introducedMs = new Map<string, number>();

  constructor(nats: Nats, asks: Requests, knowledge: MeshKnowledge) {
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

  /** Watches a call until what is returned is disposed of, or it is lost. */
  begin(place: MeshPlace, call: WatchedCall): Disposable {
    const watched = new Watched(this.#deadlines, call, (one) => void this.#look(one, place));
    watched.lookIn(call.everyMs);
    return watched;
  }

  async #look(watched: Watched, place: MeshPlace): Promise<void> {
    const { id, everyMs, onLost } = watched.call;
    const askedMs = performance.now();
    const isKnown = this.#knowledge.answering.has(place.subject);
    const isAnswered = await this.#isAnswered(place, isKnown ? id : nobodysCall, everyMs);
    // Without a connection nothing is heard of anybody.
    if (isAnswered || !this.#nats.isConnected()) watched.misses = 0;
    else if (isKnown) watched.misses++;
    if (watched.isOver) return;
    if (watched.misses < missesMax) return watched.lookIn(Math.max(0, askedMs + everyMs - performance.now()));
    watched[Symbol.dispose]();
    onLost();
  }

  #isAnswered({ subject, method }: MeshPlace, id: Uint8Array, withinMs: number): Promise<boolean> {
    if (!this.#nats.isConnected()) return Promise.resolve(false);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    try {
      this.#asks.ask(subject, MeshAsk.encode({ id, method }).finish(), withinMs, (answer) => {
        const isIdempotent = answer.kind === "answer" ? stateIn(answer.data)?.isIdempotent : undefined;
        if (isIdempotent === undefined) return resolve(false);
        learn(this.#knowledge, method, isIdempotent);
        this.#knowledge.answering.add(subject);
        resolve(true);
      });
    } catch {
      // It can't be sent: he may be there all the same.
      resolve(false);
    }
    return promise;
  }
}

class Watched implements Disposable, Timed {
  readonly call: WatchedCall;
  readonly #deadlines: Deadlines;
  readonly #onDue: (watched: Watched) => void;
  #deadline: Deadline | undefined;
  misses = 0;
  isOver = false;

  constructor(deadlines: Deadlines, call: WatchedCall, onDue: (watched: Watched) => void) {
    this.#deadlines = deadlines;
    this.call = call;
    this.#onDue = onDue;
  }

  lookIn(ms: number): void {
    this.#deadline = this.#deadlines.add(this, ms);
  }

  expire(): void {
    this.#onDue(this);
  }

  [Symbol.dispose](): void {
    this.isOver = true;
    if (this.#deadline !== undefined) this.#deadlines.over(this.#deadline);
  }
}

/** Undefined: it is no answer. */
function stateIn(data: Uint8Array): MeshState | undefined {
  try {
    return MeshState.decode(data);
  } catch {
    return undefined;
  }
}
