/** Whom a broken rule is told. */
export interface Judge {
  readonly violations: string[];
  /** Nothing fails in this seed, so stricter rules hold. */
  readonly isQuiet: boolean;
}
