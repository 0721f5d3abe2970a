import type { Registry } from "@bufbuild/protobuf";
import type { ValueType } from "../../engine/expression/value.ts";
import type { RedactedRead } from "./checking.ts";
import type { Issue } from "./issue.ts";
import type { ExpressionLimits } from "./limits.ts";
import type { Scope } from "./scope.ts";

/** What an expression must yield. */
export type Wanted =
  | { readonly kind: "bool" }
  | { readonly kind: "string" }
  | { readonly kind: "timestamp" }
  /** A value of this type; for a message a mapping: a map literal is that message. */
  | { readonly kind: "value"; readonly type: ValueType }
  /** Whatever it yields, as long as that can be kept as bytes. */
  | { readonly kind: "any" };

/** An expression and all that its meaning hangs on. */
export interface CheckRequest {
  readonly source: string;
  readonly wanted: Wanted;
  readonly scope: Scope;
  /** Every type of the image. With `run` or `steps` in use it must hold sidestep.v1.RunRecord and StepRecord. */
  readonly registry: Registry;
  /** The workflow's package: names are looked up from here outwards. */
  readonly container: string;
  readonly limits?: ExpressionLimits;
}

/** A checked, rewritten expression. */
export interface CheckedExpression {
  /** What the evaluator loads (loadExpression); deterministic: the same request gives the same bytes. */
  readonly bytes: Uint8Array;
  /** What it yields. */
  readonly type: ValueType;
  /** The variables it reads, sorted; built-in names left out. */
  readonly reads: readonly string[];
  /** The step ids it asks for as `steps.<id>`, sorted. */
  readonly steps: readonly string[];
  /** The built-in names it reads (run, now, metadata), sorted. */
  readonly builtIns: readonly string[];
  /** Full names of the messages and enums that the evaluator's registry must hold (and what they refer to), sorted. */
  readonly types: readonly string[];
  /** It reads a field declared `debug_redact`: its failures may quote one. */
  readonly readsRedacted: boolean;
  /** Those reads whose value does not end up in a field that is declared so itself. */
  readonly redacted: readonly RedactedRead[];
}

/** Checked, or everything that is wrong with it, in order of position. */
export type CheckResult =
  | { readonly kind: "ok"; readonly checked: CheckedExpression }
  | { readonly kind: "wrong"; readonly issues: readonly Issue[] };
