/** Bounds of one expression. */
export interface ExpressionLimits {
  /** Length of the text in UTF-8 bytes. */
  readonly sourceBytesMax: number;
  /** Parts of its tree: names, constants, operators, calls, literals and their entries, macros written out. */
  readonly nodesMax: number;
  /** How deep comprehensions (map, filter, all, exists, exists_one) may stand in each other. */
  readonly comprehensionDepthMax: number;
  /** How deep anything may stand in anything. */
  readonly depthMax: number;
}

/** What holds unless configured otherwise. */
export const defaultExpressionLimits: ExpressionLimits = {
  sourceBytesMax: 4096,
  nodesMax: 1000,
  comprehensionDepthMax: 2,
  depthMax: 64,
};
