import type { PayloadRef } from "../../../../proto/gen/sidestep/internal/v1/event.ts";

/** What an evaluation came to. */
export type Evaluated<T> = { readonly kind: "value"; readonly value: T } | EvaluationFailed;

/** A failure at run time: index out of range, overflow, missing key, budget. It fails its step and is never retried. */
export interface EvaluationFailed {
  readonly kind: "failed";
  readonly message: string;
  /** UTF-16 offset into the expression's text where it happened; 0 when that is not known. */
  readonly offset: number;
}

/** A value as a run keeps it: the spelling of its ValueType and its bytes. */
export interface KeptValue {
  readonly type: string;
  readonly bytes: Uint8Array;
  /** Set: the value is kept apart, and `bytes` are `unloaded` unless an expression may read them. */
  readonly payload?: PayloadRef | undefined;
}

/** A point in time, nanoseconds included. */
export interface Instant {
  readonly seconds: bigint;
  readonly nanos: number;
}

/** A value before it is narrowed. */
export type RawValue =
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "timestamp"; readonly value: Instant }
  | { readonly kind: "kept"; readonly value: KeptValue };
