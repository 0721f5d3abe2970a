import { ExprSchema } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import type { Expr } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import { fromBinary } from "@bufbuild/protobuf";
import { CompiledExpression } from "../../../../proto/gen/sidestep/internal/v1/expression.ts";
import { childrenOf } from "./parse.ts";

/** What a checked expression has to do with fields of messages. */
export interface Mentions {
  /** Every name that may be one of a field it reads; more than those at times. */
  readonly names: readonly string[];
  /** The messages that it builds, by full name, and the numbers of the fields that it may set in them. */
  readonly builds: ReadonlyMap<string, ReadonlySet<number>>;
  /** Spelling of the value type it yields. */
  readonly type: string;
}

/** Reads them from what the checker stored. Throws when the bytes are not that. */
export function mentionsOf(checked: Uint8Array): Mentions {
  const compiled = CompiledExpression.decode(checked);
  const names = new Set<string>();
  const visit = (node: Expr): void => {
    const { exprKind } = node;
    if (exprKind.case === "selectExpr") names.add(exprKind.value.field);
    // Rewritten selections name their field by a text.
    if (exprKind.case === "constExpr" && exprKind.value.constantKind.case === "stringValue")
      names.add(exprKind.value.constantKind.value);
    for (const child of childrenOf(node)) visit(child);
  };
  visit(fromBinary(ExprSchema, compiled.syntax));
  const builds = new Map<string, Set<number>>();
  for (const { message, fields } of compiled.builders) {
    const known = builds.get(message) ?? new Set();
    builds.set(message, known);
    for (const number of fields) known.add(number);
  }
  return { names: [...names], builds, type: compiled.type };
}
