import { strikes } from "./world.ts";
import type { World } from "./world.ts";

/** The timer stream: fires once due, up to 250 ms late, at least once. */
export interface SimTimers {
  /** Names of those that are out. */
  readonly armed: ReadonlySet<string>;
  /** Names of all that were ever armed. */
  readonly known: ReadonlySet<string>;
  arm(name: string, dueMs: number, fire: () => void): void;
  cancel(name: string): void;
}

export function openTimers(world: World): SimTimers {
  const { clock, random, faults } = world;
  const armed = new Set<string>();
  const known = new Set<string>();
  return {
    armed,
    known,
    arm(name, dueMs, fire) {
      if (known.has(name) && !faults.forgets) return;
      known.add(name);
      armed.add(name);
      clock.after(Math.max(dueMs - clock.now, 0) + random.int(0, 250), () => {
        if (!armed.delete(name)) return;
        fire();
        if (strikes(world, faults.double)) clock.after(random.int(1, 500), fire);
      });
    },
    cancel(name) {
      armed.delete(name);
    },
  };
}
