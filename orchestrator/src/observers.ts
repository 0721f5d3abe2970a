import type { TurnObserver } from "./processor/ports.ts";

/** All are told, in order; a later owner need not tell again what none of them has to. */
export function allObservers(observers: readonly (TurnObserver | undefined)[]): TurnObserver {
  const all = observers.filter((observer) => observer !== undefined);
  return {
    opened: (partition, position) => {
      for (const observer of all) observer.opened(partition, position);
    },
    turn: (run, record, turn) => {
      for (const observer of all) observer.turn(run, record, turn);
    },
    closed: (partition) => {
      for (const observer of all) observer.closed(partition);
    },
    tracedUpTo: (partition, checkpoint) =>
      Math.min(checkpoint, ...all.map((observer) => observer.tracedUpTo(partition, checkpoint))),
  };
}
