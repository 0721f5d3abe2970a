/** What is wrong with an expression; each has an entry in docs/errors.md. */
export type IssueCode =
  /** It can't be parsed. */
  | "CEL_SYNTAX"
  /** A variable, function, type or enum value nobody knows. */
  | "CEL_UNKNOWN_NAME"
  /** The message has no such field. */
  | "CEL_UNKNOWN_FIELD"
  /** A type that doesn't fit. */
  | "CEL_TYPE"
  /** A constant that can't be: out of range, no duration, no regular expression. */
  | "CEL_CONSTANT"
  /** A message that can't be built this way: field set twice, two arms of a oneof, a required field missing. */
  | "CEL_MAPPING"
  /** The step read here may not have run. */
  | "CEL_MAY_NOT_HAVE_RUN"
  /** The name exists, but can't be read here. */
  | "CEL_NOT_IN_SCOPE"
  /** Too long, too deep, too many nested comprehensions. */
  | "CEL_LIMIT"
  /** Part of the language, but not of this version. */
  | "NOT_YET";

/** One thing that is wrong, at a place of the expression. */
export interface Issue {
  readonly code: IssueCode;
  readonly message: string;
  readonly hint: string | undefined;
  /** UTF-16 offset into the expression's text. */
  readonly offset: number;
  /** How much of the text is meant; at least 1. */
  readonly length: number;
}
