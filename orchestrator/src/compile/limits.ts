import { defaultExpressionLimits } from "./cel/limits.ts";
import type { ExpressionLimits } from "./cel/limits.ts";

/** Bounds of what is compiled. */
export interface CompileLimits {
  readonly imageBytesMax: number;
  /** Steps of one workflow, nested ones counted. */
  readonly stepsMax: number;
  /** How deep blocks (cases, branches) may stand in each other. */
  readonly nestingMax: number;
  /** Branches of one parallel step. */
  readonly branchesMax: number;
  /** Length of an id, a title, a header's or an attribute's name. */
  readonly nameLengthMax: number;
  /** Attempts that `max_attempts` may ask for. */
  readonly attemptsMax: number;
  /** Longest duration anywhere. */
  readonly durationMaxMs: number;
  /** Attributes of one workflow, headers of one call, headers in `metadata`: each. */
  readonly entriesMax: number;
  /** Diagnostics of one image; what would come after is left out. */
  readonly diagnosticsMax: number;
  readonly expression: ExpressionLimits;
}

/** What holds unless configured otherwise. */
export const defaultCompileLimits: CompileLimits = {
  imageBytesMax: 32 * 1024 * 1024,
  stepsMax: 1000,
  nestingMax: 16,
  branchesMax: 100,
  nameLengthMax: 100,
  attemptsMax: 1000,
  durationMaxMs: 3650 * 86_400_000,
  entriesMax: 50,
  diagnosticsMax: 200,
  expression: defaultExpressionLimits,
};
