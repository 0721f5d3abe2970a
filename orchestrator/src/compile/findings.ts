import type { Mistake } from "./codes.ts";
import type { Place } from "./place.ts";

/** One mistake, before its position in the sources is looked up. */
export interface Finding {
  readonly mistake: Mistake;
  readonly message: string;
  readonly hint: string;
  /** Absent: the image as a whole. */
  readonly place: Place | undefined;
  /** UTF-16 offset into the string at `place`; absent: its beginning. */
  readonly offset: number | undefined;
}

/** Collects what is wrong, up to a bound. */
export interface Findings {
  /** In the order they were found. */
  readonly list: readonly Finding[];
  /** How many were found besides. */
  readonly leftOut: () => number;
  /** `hint` may be empty. */
  readonly add: (mistake: Mistake, place: Place | undefined, message: string, hint?: string, offset?: number) => void;
}

/** No findings yet; keeps `max` at most. */
export function newFindings(max: number): Findings {
  const list: Finding[] = [];
  let leftOut = 0;
  return {
    list,
    leftOut: () => leftOut,
    add: (mistake, place, message, hint = "", offset) => {
      if (list.length < max) list.push({ mistake, message, hint, place, offset });
      else leftOut++;
    },
  };
}
