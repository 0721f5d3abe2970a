import type { IssueCode } from "./cel/issue.ts";

/** One kind of mistake: its code, and what docs/errors.md calls it. */
export interface DiagnosticCode {
  readonly code: string;
  readonly title: string;
  /** It may be deployed all the same. */
  readonly isLint?: true;
}

/** What can be wrong with an image or a workflow; what can be wrong inside an expression is an IssueCode. */
export type DefinitionMistake =
  | "IMAGE"
  | "IMAGE_LIMIT"
  | "OPTION"
  | "SCHEMA"
  | "SOURCES"
  | "UNKNOWN_SERVICE"
  | "UNKNOWN_METHOD"
  | "METHOD_NAME"
  | "NOT_CALLABLE"
  | "EMPTY_STEP"
  | "EMPTY_BLOCK"
  | "STEP_ID"
  | "STEP_ID_TWICE"
  | "UNREACHABLE"
  | "RESULT"
  | "RESPONSE"
  | "COMPENSATE"
  | "MISSING"
  | "DURATION"
  | "STATUS_CODE"
  | "HEADER"
  | "RETRY"
  | "ATTRIBUTE"
  | "TYPE_NAME"
  | "LIMIT"
  | "LOOP_VARIABLE"
  | "STREAM"
  | "SIGNAL"
  | "NEED"
  | "SUBJECT"
  | "SECRET"
  | "REDACTED"
  | "TRIGGER"
  | "CRON"
  | Lint;

/** What may be meant, and is probably a mistake. */
export type Lint = "UNCOMPENSATED" | "DEAD_ARM" | "OVER_DEADLINE" | "UNUSED_RESULT" | "ENUM_ARMS" | "DOUBTFUL_EFFECT";

/** Whatever a diagnostic can be about. */
export type Mistake = DefinitionMistake | IssueCode;

/** Every code that a check can print, by mistake. Codes are never used again for something else; docs/errors.md has an entry for each. */
export const codes: Readonly<Record<Mistake, DiagnosticCode>> = {
  IMAGE: { code: "SIDESTEP1001", title: "The image can't be read" },
  IMAGE_LIMIT: { code: "SIDESTEP1002", title: "The image is too large" },
  OPTION: { code: "SIDESTEP1003", title: "An option can't be read" },
  SCHEMA: { code: "SIDESTEP1004", title: "Another sidestep/v1/workflow.proto" },
  SOURCES: { code: "SIDESTEP1005", title: "The .proto files don't compile" },
  NOT_YET: { code: "SIDESTEP1010", title: "Not yet" },
  UNKNOWN_SERVICE: { code: "SIDESTEP1101", title: "Unknown service" },
  UNKNOWN_METHOD: { code: "SIDESTEP1102", title: "Unknown method" },
  METHOD_NAME: { code: "SIDESTEP1103", title: "Not the name of a method" },
  NOT_CALLABLE: { code: "SIDESTEP1104", title: "A method that a step can't call" },
  EMPTY_STEP: { code: "SIDESTEP1201", title: "A step that does nothing" },
  EMPTY_BLOCK: { code: "SIDESTEP1202", title: "No steps" },
  STEP_ID: { code: "SIDESTEP1203", title: "A name that a step can't have" },
  STEP_ID_TWICE: { code: "SIDESTEP1204", title: "The same id twice" },
  UNREACHABLE: { code: "SIDESTEP1205", title: "Never reached" },
  RESULT: { code: "SIDESTEP1206", title: "Results that don't fit each other" },
  RESPONSE: { code: "SIDESTEP1207", title: "No response" },
  COMPENSATE: { code: "SIDESTEP1208", title: "Nothing to compensate" },
  MISSING: { code: "SIDESTEP1209", title: "Something is missing" },
  STREAM: { code: "SIDESTEP1210", title: "Only for streams" },
  SIGNAL: { code: "SIDESTEP1211", title: "A signal or query that doesn't fit" },
  NEED: { code: "SIDESTEP1212", title: "Needs more than there is" },
  LOOP_VARIABLE: { code: "SIDESTEP1213", title: "A name that a variable of a loop can't have" },
  DURATION: { code: "SIDESTEP1301", title: "Not a duration" },
  STATUS_CODE: { code: "SIDESTEP1302", title: "A status code that can't stand here" },
  HEADER: { code: "SIDESTEP1303", title: "A header that can't be set or read" },
  RETRY: { code: "SIDESTEP1304", title: "Retry numbers that can't be" },
  ATTRIBUTE: { code: "SIDESTEP1305", title: "A wrong attribute" },
  TYPE_NAME: { code: "SIDESTEP1306", title: "Unknown type" },
  LIMIT: { code: "SIDESTEP1307", title: "Over a limit" },
  SUBJECT: { code: "SIDESTEP1308", title: "Not a subject" },
  SECRET: { code: "SIDESTEP1309", title: "Not the name of a secret" },
  REDACTED: { code: "SIDESTEP1310", title: "Would show what is redacted" },
  TRIGGER: { code: "SIDESTEP1311", title: "A trigger that can't be" },
  CRON: { code: "SIDESTEP1312", title: "Not a time that comes again" },
  CEL_SYNTAX: { code: "SIDESTEP1401", title: "An expression that can't be parsed" },
  CEL_UNKNOWN_NAME: { code: "SIDESTEP1402", title: "Unknown name in an expression" },
  CEL_UNKNOWN_FIELD: { code: "SIDESTEP1403", title: "Unknown field" },
  CEL_TYPE: { code: "SIDESTEP1404", title: "The wrong type" },
  CEL_CONSTANT: { code: "SIDESTEP1405", title: "A constant that can't be" },
  CEL_MAPPING: { code: "SIDESTEP1406", title: "A message that can't be built" },
  CEL_MAY_NOT_HAVE_RUN: { code: "SIDESTEP1407", title: "The step may not have run" },
  CEL_NOT_IN_SCOPE: { code: "SIDESTEP1408", title: "Not readable here" },
  CEL_LIMIT: { code: "SIDESTEP1409", title: "An expression over a limit" },
  UNCOMPENSATED: { code: "SIDESTEP1501", title: "Never undone", isLint: true },
  DEAD_ARM: { code: "SIDESTEP1502", title: "Never true, or always", isLint: true },
  OVER_DEADLINE: { code: "SIDESTEP1503", title: "Longer than the run may take", isLint: true },
  UNUSED_RESULT: { code: "SIDESTEP1504", title: "Asked for and not used", isLint: true },
  ENUM_ARMS: { code: "SIDESTEP1505", title: "Values without a case", isLint: true },
  DOUBTFUL_EFFECT: { code: "SIDESTEP1506", title: "Nothing said about doubt", isLint: true },
};
