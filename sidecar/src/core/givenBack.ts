import type { DeliveryAge } from "./admission.ts";

/** A delivery of a message of a stream. */
export interface Given {
  readonly streamSequence: number;
  readonly delivery: number;
  readonly storedAtMs: number;
}

/** With what is thought of its age. */
interface GivenAway extends Given {
  readonly age: DeliveryAge;
  readonly isFirst: boolean;
}

/** What was given back: its deliveries up to this one came here, and ended here before a call. */
interface Kept {
  readonly deliveries: number;
  readonly storedAtMs: number;
  /** As it was at the first delivery. */
  readonly age: DeliveryAge;
  readonly atMs: number;
}

const keptMax = 4_096;
/** A delivery that somebody else had and lost would come after 7 s. */
const keptMs = 6_000;

/**
 * Tasks of one consumer that were given back before their call, for as long as nobody else can have had and lost them. What comes here again is as new as it was:
 * its count alone says that an earlier delivery may have begun the call.
 */
export class GivenBack {
  readonly #kept = new Map<number, Kept>();

  /** It is given back now, and its call has not begun here. */
  note({ streamSequence, delivery, storedAtMs, age, isFirst }: GivenAway, nowMs: number): void {
    this.#kept.delete(streamSequence);
    // Somebody else has had it, and may have begun the call.
    if (!isFirst) return;
    if (this.#kept.size >= keptMax) this.#kept.clear();
    this.#kept.set(streamSequence, { deliveries: delivery, storedAtMs, age, atMs: nowMs });
  }

  /** How old the task was when it came first, where all earlier deliveries came here and were given back; undefined: nobody knows. */
  ageOf({ streamSequence, delivery, storedAtMs }: Given, nowMs: number): DeliveryAge | undefined {
    const kept = this.#kept.get(streamSequence);
    if (kept === undefined || kept.storedAtMs !== storedAtMs) return undefined;
    // A server that has forgotten its counts may have given it to others since.
    if (delivery <= kept.deliveries) return "again";
    return delivery === kept.deliveries + 1 && nowMs - kept.atMs <= keptMs ? kept.age : undefined;
  }

  /** The server may be another one, or have forgotten what it counted. */
  clear(): void {
    this.#kept.clear();
  }
}
