import type { Span } from "../projection/span.ts";

/** What became of an export. */
export type SpanSinkAnswer =
  | { readonly kind: "taken" }
  /** The collector can't take these, now or ever: they are malformed or too large for it. */
  | { readonly kind: "refused"; readonly message: string }
  /** It can't be reached, or is busy, or does not let us in: try again later. */
  | { readonly kind: "away"; readonly message: string };

/** Where spans go; taking one twice is harmless. */
export interface SpanSink {
  /** Settles within the export's own timeout; never throws. */
  export(spans: readonly Span[]): Promise<SpanSinkAnswer>;
}
