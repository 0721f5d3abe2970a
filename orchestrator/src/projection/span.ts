import type { Sidecar } from "../../../proto/gen/sidestep/internal/v1/task.ts";

/** A finished span, as data: what it shows is in the log, so it can be made again at any time and comes out the same. */
export interface Span {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  /** 16 hex digits; undefined: a root. */
  readonly parentSpanId: string | undefined;
  /** The parent is another program's span. */
  readonly parentIsRemote: boolean;
  /** W3C tracestate of the joined trace; empty: none. */
  readonly tracestate: string;
  readonly name: string;
  readonly kind: "server" | "internal" | "client";
  /** Milliseconds since 1970, with fraction. */
  readonly startMs: number;
  /** Never before `startMs`. */
  readonly endMs: number;
  readonly status: SpanStatus;
  readonly attributes: Attributes;
  readonly events: readonly SpanEvent[];
  readonly resource: SpanResource;
}

export type SpanStatus = { readonly kind: "unset" } | { readonly kind: "error"; readonly message: string };

export interface SpanEvent {
  readonly name: string;
  readonly timeMs: number;
  readonly attributes: Attributes;
}

/** In order of insertion, which is the order on the wire. */
export type Attributes = Readonly<Record<string, string | number | boolean>>;

/** Whose span it is. */
export type SpanResource = { readonly kind: "orchestrator" } | { readonly kind: "sidecar"; readonly sidecar: Sidecar };
