import type { Frame, LiveAttempt, LiveStep, LiveTimer, Scope, Undoing, UndoScope } from "../live.ts";

/** Numbers the parts of one kind in the order in which they are met. */
export interface Places<T> {
  /** The part's place in its list, from 1; 0: none. */
  of(part: T | undefined): number;
  readonly parts: readonly T[];
}

/** Where the parts of a state stand in its snapshot. */
export interface AllPlaces {
  readonly scopes: Places<Scope>;
  readonly frames: Places<Frame>;
  readonly steps: Places<LiveStep>;
  readonly attempts: Places<LiveAttempt>;
  readonly timers: Places<LiveTimer>;
  readonly undoScopes: Places<UndoScope>;
  readonly undoings: Places<Undoing>;
  /** Spellings of types of kept values. */
  readonly types: Places<string>;
}

/** Nothing has been met yet. */
export function newPlaces(): AllPlaces {
  return {
    scopes: toPlaces(),
    frames: toPlaces(),
    steps: toPlaces(),
    attempts: toPlaces(),
    timers: toPlaces(),
    undoScopes: toPlaces(),
    undoings: toPlaces(),
    types: toPlaces(),
  };
}

function toPlaces<T>(): Places<T> {
  const places = new Map<T, number>();
  const parts: T[] = [];
  return {
    parts,
    of: (part) => {
      if (part === undefined) return 0;
      const known = places.get(part);
      if (known !== undefined) return known;
      const place = parts.push(part);
      places.set(part, place);
      return place;
    },
  };
}
