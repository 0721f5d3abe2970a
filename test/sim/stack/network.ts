import type { Process } from "./scheduler.ts";
import { strikes, wireMs } from "./world.ts";
import type { World } from "./world.ts";

/** A part of the server that can be away by itself. */
export type Place = "core" | "keys" | "leases" | "tasks" | "timers" | `log ${number}`;

/** One process's connection to the server. Messages keep their order, both ways; a cut loses what is under way. */
export interface Link {
  readonly process: Process;
  isConnected: boolean;
  connectedAtMs: number;
  generation: number;
  outAtMs: number;
  inAtMs: number;
  readonly onReconnect: Set<() => void>;
}

/** The network and the server's availability. */
export interface Network {
  open(process: Process): Link;
  /** A request and its answer; undefined: none in time. `act` happens at the server, at once. */
  call<T>(link: Link, place: Place, act: () => T): Promise<T | undefined>;
  /** A message to the server, without an answer. */
  cast(link: Link, place: Place, act: () => void): void;
  /** A message from the server. */
  deliver(link: Link, act: () => void): void;
  cut(link: Link, forMs: number): void;
  /** The place answers nobody for so long. */
  breakDown(this: void, place: Place, forMs: number): void;
  /** The place stands still for so long, then does what it has been asked. */
  stall(this: void, place: Place, forMs: number): void;
  /** A place stands still, or does now what it was asked meanwhile. */
  isStalled(): boolean;
  /** Asked of whoever sends something that matters, before and after: does it die of it? */
  dies: (process: Process) => boolean;
}

const timeoutMs = 2_000;

/** A network on which everybody can reach the server. */
export function openNetwork(world: World): Network {
  const { scheduler, random, faults } = world;
  const downUntilMs = new Map<Place, number>();
  const stalledUntilMs = new Map<Place, number>();
  const isDown = (place: Place): boolean => (downUntilMs.get(place) ?? 0) > scheduler.nowMs;

  const arrive = (place: Place, act: () => void): void => {
    const stalledMs = (stalledUntilMs.get(place) ?? 0) - scheduler.nowMs;
    if (stalledMs > 0) scheduler.after(undefined, stalledMs, () => arrive(place, act));
    else if (!isDown(place)) act();
  };

  const cast = (link: Link, place: Place, act: () => void): void => {
    if (!link.process.isAlive) return;
    const matters = place !== "core" && place !== "leases";
    if (matters && network.dies(link.process)) return;
    send(link, place, act);
    if (matters) network.dies(link.process);
  };

  const send = (link: Link, place: Place, act: () => void): void => {
    const leave = (): void => {
      if (!link.isConnected || strikes(world, faults.drop)) return;
      link.outAtMs = Math.max(link.outAtMs, scheduler.nowMs + wireMs(world));
      scheduler.after(undefined, link.outAtMs - scheduler.nowMs, () => arrive(place, act));
    };
    // What is still in a buffer when its process dies is never sent.
    if (!faults.isQuiet && random.chance(0.3)) scheduler.after(link.process, random.int(0, 2), leave);
    else leave();
  };

  const deliver = (link: Link, act: () => void): void => {
    if (!link.isConnected || strikes(world, faults.drop)) return;
    const { generation } = link;
    link.inAtMs = Math.max(link.inAtMs, scheduler.nowMs + wireMs(world));
    scheduler.after(link.process, link.inAtMs - scheduler.nowMs, () => {
      if (link.generation === generation) act();
    });
  };

  const network: Network = {
    dies: () => false,
    isStalled: () => [...stalledUntilMs.values()].some((untilMs) => scheduler.nowMs < untilMs + 1_000),
    open: (process) => ({
      process,
      isConnected: true,
      connectedAtMs: scheduler.nowMs,
      generation: 0,
      outAtMs: 0,
      inAtMs: 0,
      onReconnect: new Set(),
    }),
    call: (link, place, act) =>
      new Promise((resolve) => {
        const timeout = scheduler.after(link.process, timeoutMs, () => resolve(undefined));
        cast(link, place, () => {
          const answer = act();
          deliver(link, () => {
            scheduler.cancel(timeout);
            resolve(answer);
          });
        });
      }),
    cast,
    deliver,
    cut: (link, forMs) => {
      link.isConnected = false;
      const generation = ++link.generation;
      scheduler.after(link.process, forMs, () => {
        if (link.generation !== generation) return;
        link.isConnected = true;
        link.connectedAtMs = scheduler.nowMs;
        for (const listener of link.onReconnect) listener();
      });
    },
    breakDown: (place, forMs) => {
      downUntilMs.set(place, Math.max(downUntilMs.get(place) ?? 0, scheduler.nowMs + forMs));
    },
    stall: (place, forMs) => {
      stalledUntilMs.set(place, Math.max(stalledUntilMs.get(place) ?? 0, scheduler.nowMs + forMs));
    },
  };
  return network;
}
