import type { RunRecord, StepRecord } from "../../../../proto/gen/sidestep/v1/workflow.ts";
import type { Instant } from "./result.ts";

/** What an evaluation may see. Nothing is decoded unless the expression reads it; bytes are decoded once per Uint8Array object. */
export interface Bindings {
  /** Bytes of a variable of CheckedExpression.reads, of the type it was checked with; undefined when it has no value. */
  readonly variable: (name: string) => Uint8Array | undefined;
  /** The record of a step that has a result; undefined when it has none. */
  readonly step: (id: string) => StepRecord | undefined;
  readonly run: RunRecord | undefined;
  /** Time of the event at hand. */
  readonly now: Instant | undefined;
  /** Headers of the caller, lower-case names. */
  readonly metadata: ReadonlyMap<string, string>;
}
