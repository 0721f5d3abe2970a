import type { Random } from "../random.ts";
import type { Judge } from "../rules/judge.ts";
import type { Faults } from "./faults.ts";
import type { Scheduler } from "./scheduler.ts";

/** What all parts of a simulation share. */
export interface World extends Judge {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly faults: Faults;
  /** Faults still happen. */
  isFaulty(): boolean;
  /** Keeps a line of the story, when somebody wants it. */
  tell(line: () => string): void;
}

/** Happens with probability p, while faults happen at all. */
export function strikes(world: World, p: number): boolean {
  return p > 0 && world.isFaulty() && world.random.chance(p);
}

/** Time on the wire. */
export function wireMs({ random, faults }: World): number {
  return random.int(0, faults.delayMsMax);
}
