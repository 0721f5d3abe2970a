import { codes } from "./codes.ts";
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
  /** Errors in the order they were found. */
  readonly errors: readonly Finding[];
  /** What may be meant, in the order it was found. */
  readonly lints: readonly Finding[];
  /** How many errors were found, those that were not kept among them. */
  readonly errorCount: () => number;
  /** How many were found besides. */
  readonly leftOut: () => number;
  /** `hint` may be empty. */
  readonly add: (mistake: Mistake, place: Place | undefined, message: string, hint?: string, offset?: number) => void;
}

/** No findings yet; keeps `max` errors and `max` lints at most. */
export function newFindings(max: number): Findings {
  const errors: Finding[] = [];
  const lints: Finding[] = [];
  let leftOut = 0;
  let errorCount = 0;
  return {
    errors,
    lints,
    errorCount: () => errorCount,
    leftOut: () => leftOut,
    add: (mistake, place, message, hint = "", offset) => {
      const isLint = codes[mistake].isLint === true;
      const list = isLint ? lints : errors;
      if (!isLint) errorCount++;
      if (list.length < max) list.push({ mistake, message, hint, place, offset });
      else leftOut++;
    },
  };
}
