import type { Expr } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import type { Registry } from "@bufbuild/protobuf";
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { didYouMean } from "../closest.ts";
import type { ValueType } from "../../engine/expression/value.ts";
import type { Declarations } from "./declarations.ts";
import type { Issue, IssueCode } from "./issue.ts";
import type { Parsed } from "./parse.ts";
import type { Holds, StepVisibility } from "./scope.ts";
import type { Span } from "./tree.ts";
import type { CelType } from "./type.ts";
import { errorType } from "./type.ts";
import type { Substitution } from "./unify.ts";

/** A variable as the checker sees it; `kept` is how it comes in. */
export type KnownVariable =
  | {
      readonly kind: "certain";
      readonly type: CelType;
      readonly kept: ValueType | undefined;
      readonly holds?: Holds | undefined;
    }
  | {
      readonly kind: "conditional";
      readonly type: CelType;
      readonly kept: ValueType | undefined;
      readonly reason: string;
      readonly holds?: Holds | undefined;
    }
  | { readonly kind: "hidden"; readonly reason: string };

/** All that checking one expression looks at and finds out. */
export interface Checking {
  readonly registry: Registry;
  readonly container: string;
  readonly parsed: Parsed;
  /** Looked up one by one: copying them for each expression would make long workflows quadratic. */
  readonly variables: Pick<ReadonlyMap<string, KnownVariable>, "get" | "keys">;
  readonly steps: ReadonlyMap<string, StepVisibility> | undefined;
  readonly builtIns: ReadonlyMap<string, CelType>;
  readonly declarations: readonly Declarations[];
  readonly comprehensionDepthMax: number;
  /** Refuse what can only fail, and what builds a nonsensical message; off only to compare with other checkers. */
  readonly strict: boolean;
  readonly substitution: Substitution;
  readonly issues: Issue[];
  readonly found: Found;
  /** Where the nodes made here stand in the source. */
  readonly offsets: WeakMap<Expr, number>;
  /** The whole inference, for the parts of it that need each other. */
  readonly infer: (checking: Checking, node: Expr, place: Place, want: Want | undefined) => Typed;
}

/** What an expression turned out to use. */
export interface Found {
  readonly variables: Map<string, ValueType | undefined>;
  readonly steps: Set<string>;
  readonly builtIns: Set<string>;
  readonly types: Set<string>;
  readonly builders: BuilderDraft[];
  /** It reads a field declared `debug_redact`, or what one went into. */
  readsRedacted: boolean;
  /** Those reads whose value does not end up in a field that is declared so itself. */
  readonly redacted: RedactedRead[];
  locals: number;
}

/** Before anything is looked at. */
export function nothingFound(): Found {
  return {
    variables: new Map(),
    steps: new Set(),
    builtIns: new Set(),
    types: new Set(),
    builders: [],
    readsRedacted: false,
    redacted: [],
    locals: 0,
  };
}

/** Where something that is redacted is read. */
export interface RedactedRead {
  /** As messages call it: "payment.v1.Card.number", "what 'copy' holds". */
  readonly name: string;
  readonly offset: number;
}

/** A message literal, to be built at run time from one value per field. */
export interface BuilderDraft {
  readonly message: DescMessage;
  readonly fields: readonly { readonly field: DescField; readonly offset: number }[];
}

/** Where in the expression a node stands: what it may see besides the scope. */
export interface Place {
  readonly locals: Local | undefined;
  /** Steps that have certainly run here, by a has(steps.x) around. */
  readonly ran: ReadonlySet<string>;
  readonly comprehensions: number;
}

/** A variable of a comprehension, and those around it. */
export interface Local {
  readonly name: string;
  readonly type: CelType;
  readonly rewritten: string;
  /** Of an entry: the variable is that part of it. */
  readonly part?: "@entryKey" | "@entryValue";
  readonly outer: Local | undefined;
}

/** What is wanted of a node. */
export interface Want {
  readonly type: CelType;
  /** The kept form behind the type: ranges of numbers, values of enums. */
  readonly kept?: ValueType;
  /** The value's place, for messages: "field 'quantity' of Line". */
  readonly what?: string;
  /** The target is a field: a bare selection copies presence ("implicit": only of wrappers, the field itself having none). */
  readonly presence?: "explicit" | "implicit";
}

/** A node's type and what it is rewritten to. */
export interface Typed {
  readonly type: CelType;
  readonly node: Expr;
  /** Of a variable: the messages that its fields of type Any hold. */
  readonly holds?: Holds | undefined;
}

/** Notes that a node reads what is redacted. */
export function noteRedacted({ found, parsed }: Checking, node: Expr, name: string): void {
  found.readsRedacted = true;
  found.redacted.push({ name, offset: parsed.spanOf(node).offset });
}

/** Notes an issue at a node. */
export function report(checking: Checking, node: Expr, code: IssueCode, message: string, hint?: string): CelType {
  return reportAt(checking, checking.parsed.spanOf(node), code, message, hint);
}

/** Notes an issue at a place of the source. */
export function reportAt(checking: Checking, span: Span, code: IssueCode, message: string, hint?: string): CelType {
  const hinted = hint === "" ? undefined : hint;
  checking.issues.push({ code, message, hint: hinted, offset: span.offset, length: span.length });
  return errorType;
}

/** "did you mean", else the first few of what there is. */
export function suggest(name: string, candidates: readonly string[], noun: string): string | undefined {
  const near = didYouMean(name, candidates);
  if (near !== "") return near;
  if (candidates.length === 0) return undefined;
  const shown = candidates.slice(0, 12).join(", ");
  return `${noun}: ${shown}${candidates.length > 12 ? ", …" : ""}`;
}
