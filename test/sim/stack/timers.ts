import type { Timers } from "../../../orchestrator/src/processor/ports.ts";
import { names } from "./log.ts";
import type { Link, Network } from "./network.ts";
import type { Task } from "./scheduler.ts";
import { dedupeMs } from "./stream.ts";
import type { Stream } from "./stream.ts";
import { strikes } from "./world.ts";
import type { World } from "./world.ts";
import { write } from "./write.ts";

/** The timer stream: an armed schedule fires into its log, at least once, up to 250 ms late. */
export interface TimerStream {
  readonly armed: ReadonlyMap<string, Task>;
  /** Names of all that were ever armed. */
  readonly known: ReadonlySet<string>;
  /** Names of those whose cancellation could not be stored: they fire in vain. */
  readonly uncancelled: Set<string>;
  skewMs: number;
  arm(name: string, dueMs: number, fire: () => void): void;
  cancel(name: string): void;
  /** The server has restarted: it knows the ids of what it still has. */
  forget(): void;
}

/** Nothing is armed. */
export function openTimerStream(world: World): TimerStream {
  const { scheduler, random, faults } = world;
  const armed = new Map<string, Task>();
  const known = new Set<string>();
  const ids = new Map<string, number>();
  const stream: TimerStream = {
    armed,
    known,
    uncancelled: new Set(),
    skewMs: 0,
    arm(name, dueMs, fire) {
      const at = ids.get(name);
      if (at !== undefined && scheduler.nowMs - at < dedupeMs) return;
      ids.set(name, scheduler.nowMs);
      known.add(name);
      const before = armed.get(name);
      if (before !== undefined) scheduler.cancel(before);
      const inMs = Math.max(dueMs - (scheduler.nowMs + stream.skewMs), 0) + random.int(0, 250);
      const task = scheduler.after(undefined, inMs, () => {
        armed.delete(name);
        fire();
        if (strikes(world, faults.doubleTimers)) scheduler.after(undefined, random.int(1, 3_000), fire);
      });
      armed.set(name, task);
    },
    cancel(name) {
      const task = armed.get(name);
      if (task === undefined) return;
      scheduler.cancel(task);
      armed.delete(name);
    },
    forget() {
      for (const name of ids.keys()) if (!armed.has(name)) ids.delete(name);
    },
  };
  return stream;
}

/** The timer stream as one orchestrator reaches it. */
export function toTimers(
  world: World,
  network: Network,
  link: Link,
  stream: TimerStream,
  logOf: (partition: number) => Stream,
): Timers {
  return {
    arm: (timer, dueMs, event, limits) => {
      const { partition, runId, name } = timer;
      const subject = names.eventSubject(partition, runId);
      const store = (): { readonly kind: "stored"; readonly sequence: number } => {
        stream.arm(`${runId}/${name}`, dueMs, () => void logOf(partition).append(subject, event, {}));
        return { kind: "stored", sequence: 1 };
      };
      return write(world, network, link, { place: "timers", store, standsAt: () => undefined }, limits);
    },
    cancel: async ({ runId, name }, limits) => {
      const store = (): { readonly kind: "stored"; readonly sequence: number } => {
        stream.cancel(`${runId}/${name}`);
        return { kind: "stored", sequence: 1 };
      };
      const written = await write(world, network, link, { place: "timers", store, standsAt: () => undefined }, limits);
      if (written.kind !== "stored") stream.uncancelled.add(`${runId}/${name}`);
      return written;
    },
    remove: async (_partition, runId) => {
      const answer = await network.call(link, "timers", () => {
        for (const name of stream.armed.keys()) if (name.startsWith(`${runId}/`)) stream.cancel(name);
        return true;
      });
      if (answer === undefined) throw new Error("the timers do not answer");
    },
    runs: async () => {
      const armed = await network.call(link, "timers", () => [...stream.armed.keys()]);
      if (armed === undefined) throw new Error("the timers do not answer");
      return new Set(armed.map((name) => name.split("/")[0] ?? ""));
    },
  };
}
