import { ExprSchema } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import type { Expr } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import { toBinary } from "@bufbuild/protobuf";
import { CompiledExpression, CompiledExpression_Form } from "../../../../proto/gen/sidestep/internal/v1/expression.ts";
import type {
  CompiledExpression_Builder,
  CompiledExpression_Read,
} from "../../../../proto/gen/sidestep/internal/v1/expression.ts";
import { compiledFormat } from "../../engine/expression/load.ts";
import { formatValueType } from "../../engine/expression/value.ts";
import type { ValueType } from "../../engine/expression/value.ts";
import type { BuilderDraft, Checking, Typed } from "./checking.ts";
import { makeList } from "./node.ts";
import { childrenOf } from "./parse.ts";
import type { CheckedExpression, CheckRequest, Wanted } from "./request.ts";

/** What is stored of a checked expression, and what others need to know of it. */
export function compile(checking: Checking, request: CheckRequest, typed: Typed, type: ValueType): CheckedExpression {
  const offsets: number[] = [];
  const root = isAny(type) ? makeList(checking, checking.parsed.syntax, [typed.node]) : typed.node;
  number(checking, root, offsets);
  const { found } = checking;
  const reads = [...found.variables].flatMap(([name, kept]): CompiledExpression_Read[] =>
    kept === undefined ? [] : [{ name, type: formatValueType(kept) }],
  );
  reads.sort((a, b) => compareNames(a.name, b.name));
  const steps = [...found.steps].toSorted(compareNames);
  const builtIns = [...found.builtIns].toSorted(compareNames);
  const types = new Set(found.types);
  for (const kept of [type, ...found.variables.values()]) if (kept !== undefined) addTypes(kept, types);
  const bytes = CompiledExpression.encode({
    format: compiledFormat,
    source: request.source,
    syntax: toBinary(ExprSchema, root),
    offsets,
    reads,
    steps,
    builtIns,
    builders: found.builders.map(toBuilder),
    form: formOf(request.wanted),
    type: formatValueType(type),
  }).finish();
  return {
    bytes,
    type,
    reads: reads.map((read) => read.name),
    steps,
    builtIns,
    types: [...types].toSorted(compareNames),
    readsRedacted: found.readsRedacted,
    redacted: found.redacted,
  };
}

/** An Any that is yielded bare is opened by the evaluator; in a list it stays what it is. */
function isAny(type: ValueType): boolean {
  return type.kind === "message" && type.message.typeName === "google.protobuf.Any";
}

/** Numbers the nodes in the order of the tree, so that equal trees are equal bytes. */
function number(checking: Checking, node: Expr, offsets: number[]): void {
  offsets.push(checking.offsets.get(node) ?? 0);
  node.id = BigInt(offsets.length);
  for (const child of childrenOf(node)) number(checking, child, offsets);
}

function toBuilder(draft: BuilderDraft): CompiledExpression_Builder {
  return {
    message: draft.message.typeName,
    fields: draft.fields.map(({ field }) => field.number),
    offsets: draft.fields.map(({ offset }) => offset),
  };
}

function formOf(wanted: Wanted): CompiledExpression_Form {
  switch (wanted.kind) {
    case "bool":
      return CompiledExpression_Form.BOOL;
    case "string":
      return CompiledExpression_Form.STRING;
    case "timestamp":
      return CompiledExpression_Form.TIMESTAMP;
    case "value":
    case "any":
      return CompiledExpression_Form.KEPT;
  }
}

function addTypes(kept: ValueType, types: Set<string>): void {
  switch (kept.kind) {
    case "scalar":
      return;
    case "enum":
      types.add(kept.enum.typeName);
      return;
    case "message":
      types.add(kept.message.typeName);
      return;
    case "list":
      addTypes(kept.element, types);
      return;
    case "map":
      addTypes(kept.value, types);
      return;
  }
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
