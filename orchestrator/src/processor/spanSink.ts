import type { Span } from "../projection/span.ts";

/** What is told of turns: spans, or notices. `name` is for people. */
export interface Told {
  readonly name: string;
}

/** What became of an export. */
export type SpanSinkAnswer =
  | { readonly kind: "taken" }
  /** The receiver can't take these, now or ever: they are malformed or too large for it. */
  | { readonly kind: "refused"; readonly message: string }
  /** It can't be reached, or is busy, or does not let us in: try again later. */
  | { readonly kind: "away"; readonly message: string };

/** Where spans go, or what else is told of turns; taking one twice is harmless. */
export interface SpanSink<T extends Told = Span> {
  /** Settles within the export's own timeout; never throws. */
  export(spans: readonly T[]): Promise<SpanSinkAnswer>;
}
