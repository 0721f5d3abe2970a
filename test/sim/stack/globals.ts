import type { Random } from "../random.ts";
import type { Scheduler, Task } from "./scheduler.ts";

/** What the code under test gets for a timer. */
class VirtualTimer {
  task: Task | undefined;

  unref(): this {
    return this;
  }

  ref(): this {
    return this;
  }
}

/**
 * Puts virtual time and the seed's chance in the place of timers, clock and chance, for as long as it is not disposed of. A timer belongs to the process
 * whose step asked for it.
 */
export function installGlobals(scheduler: Scheduler, random: Random): Disposable {
  const { setTimeout, clearTimeout, setInterval, clearInterval } = globalThis;
  const { now } = Date;
  const { random: chance } = Math;
  const set = (run: () => void, delayMs = 0): VirtualTimer => {
    const timer = new VirtualTimer();
    timer.task = scheduler.after(scheduler.current, delayMs, run);
    return timer;
  };
  const repeat = (run: () => void, everyMs: number): VirtualTimer => {
    const timer = new VirtualTimer();
    const owner = scheduler.current;
    const again = (): void => {
      timer.task = scheduler.after(owner, everyMs, () => {
        again();
        run();
      });
    };
    again();
    return timer;
  };
  const clear = (timer: unknown): void => {
    if (timer instanceof VirtualTimer && timer.task !== undefined) scheduler.cancel(timer.task);
  };
  Object.assign(globalThis, { setTimeout: set, setInterval: repeat, clearTimeout: clear, clearInterval: clear });
  Date.now = () => scheduler.nowMs;
  Math.random = () => random.next();
  return {
    [Symbol.dispose]: () => {
      Object.assign(globalThis, { setTimeout, clearTimeout, setInterval, clearInterval });
      Date.now = now;
      Math.random = chance;
    },
  };
}
