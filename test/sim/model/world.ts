import type { Clock } from "../../../testing/src/partition/clock.ts";
import type { Faults } from "./faults.ts";
import type { Random } from "../random.ts";
import type { Judge } from "../rules/judge.ts";

/** What all parts of a simulation share. */
export interface World extends Judge {
  readonly clock: Clock;
  readonly random: Random;
  readonly faults: Faults;
  /** Protocol rules that are switched off, to see that the invariants notice. */
  readonly broken: ReadonlySet<BrokenRule>;
  /** Faults still happen. */
  isFaulty(): boolean;
}

/** Rules of the protocol around the engine, each of which the simulation can leave out. */
export type BrokenRule =
  | "checkpoint before the commands are durable"
  | "task acknowledged before its outcome is stored"
  | "redelivered task run unasked"
  | "claim not asked for"
  | "token not checked"
  | "end appended without expectation"
  | "takeover carries nothing out"
  | "no end of a closed attempt";

/** Happens with probability p, while faults happen at all. */
export function strikes(world: World, p: number): boolean {
  return p > 0 && world.isFaulty() && world.random.chance(p);
}

/** Time on the wire. */
export function wireMs({ random, faults }: World): number {
  return random.int(1, faults.delayMsMax);
}

/**
 * A publish that is tried until it is acknowledged: the request or the answer may get lost. `isAlive` is asked before each step; `store`
 * may run more than once.
 */
export function publish<T>(world: World, isAlive: () => boolean, store: () => T, done: (stored: T) => void): void {
  const { clock, faults } = world;
  const attempt = (): void => clock.after(wireMs(world), send);
  const send = (): void => {
    // Whoever dies with it still in hand has not sent it.
    if (!isAlive()) return;
    if (strikes(world, faults.drop)) {
      clock.after(30, attempt);
      return;
    }
    clock.after(wireMs(world), () => {
      const stored = store();
      if (strikes(world, faults.double)) clock.after(wireMs(world) * 4, store);
      clock.after(wireMs(world), () => {
        if (!isAlive()) return;
        if (strikes(world, faults.drop)) clock.after(30, attempt);
        else done(stored);
      });
    });
  };
  attempt();
}

/** Drops what has the id of something stored before, as long as it is remembered: a server that forgets takes its time to restart. */
export function openDedupe(world: World): (id: string) => boolean {
  const seen = new Map<string, number>();
  const windowMs = world.faults.forgets ? 2_500 : Infinity;
  return (id) => {
    const at = seen.get(id);
    if (at !== undefined && world.clock.now - at < windowMs) return true;
    seen.set(id, world.clock.now);
    return false;
  };
}
