import type { Expr } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import { ScalarType } from "@bufbuild/protobuf";
import type { Registry } from "@bufbuild/protobuf";
import type { ElementType, ValueType } from "../../engine/expression/value.ts";
import { withWellKnown } from "../../engine/expression/wellKnown.ts";
import { nothingFound, report } from "./checking.ts";
import type { Checking, KnownVariable, Place, Typed, Want } from "./checking.ts";
import { compile } from "./compile.ts";
import { standardDeclarations } from "./declarations.ts";
import { inferAs, wantOf } from "./fit.ts";
import { infer } from "./infer.ts";
import type { Issue } from "./issue.ts";
import { defaultExpressionLimits } from "./limits.ts";
import type { ExpressionLimits } from "./limits.ts";
import { parseExpression } from "./parse.ts";
import type { Parsed } from "./parse.ts";
import type { CheckRequest, CheckResult, Wanted } from "./request.ts";
import type { BuiltIn, Variable } from "./scope.ts";
import { boolType, mapOf, showType, stringType, timestampType, typeOfValue } from "./type.ts";
import type { CelType } from "./type.ts";
import { resolve } from "./unify.ts";

/**
 * Types a CEL expression against protobuf descriptors, pushes the wanted type down into it, and rewrites it into what the evaluator
 * runs: messages become builders that keep presence, enum names numbers, comprehensions count their steps.
 */
export function checkExpression(request: CheckRequest): CheckResult {
  const limits = request.limits ?? defaultExpressionLimits;
  const parsed = parseExpression(request.source, limits);
  if (parsed.kind === "wrong") return { kind: "wrong", issues: [parsed.issue] };
  const checking = toChecking(request, parsed, limits);
  const place: Place = { locals: undefined, ran: new Set(), comprehensions: 0 };
  const want = toWant(request.wanted);
  const typed =
    want === undefined
      ? infer(checking, parsed.syntax, place, undefined)
      : inferAs(checking, parsed.syntax, place, want);
  const type = yieldedType(checking, parsed.syntax, typed, request.wanted);
  if (checking.issues.length > 0 || type === undefined) return { kind: "wrong", issues: inOrder(checking.issues) };
  return { kind: "ok", checked: compile(checking, request, typed, type) };
}

function toChecking(request: CheckRequest, parsed: Parsed, limits: ExpressionLimits): Checking {
  const registry = withWellKnown(request.registry);
  return {
    registry,
    container: request.container,
    parsed,
    variables: {
      get: (name) => {
        const variable = request.scope.variables.get(name);
        return variable === undefined ? undefined : toKnown(variable);
      },
      keys: () => request.scope.variables.keys(),
    },
    steps: request.scope.steps,
    builtIns: builtInTypes(request.scope.builtIns, registry),
    declarations: [standardDeclarations],
    comprehensionDepthMax: limits.comprehensionDepthMax,
    strict: true,
    substitution: { bindings: new Map(), next: 0 },
    issues: [],
    found: nothingFound(),
    offsets: new WeakMap(),
    infer,
  };
}

function toKnown(variable: Variable): KnownVariable {
  switch (variable.kind) {
    case "hidden":
      return variable;
    case "certain":
    case "conditional":
      return { ...variable, type: typeOfValue(variable.type), kept: variable.type };
  }
}

function builtInTypes(names: ReadonlySet<BuiltIn>, registry: Registry): ReadonlyMap<string, CelType> {
  const types = new Map<string, CelType>();
  const run = registry.getMessage("sidestep.v1.RunRecord");
  if (names.has("run") && run !== undefined) types.set("run", { kind: "message", message: run });
  if (names.has("now")) types.set("now", timestampType);
  if (names.has("metadata")) types.set("metadata", mapOf(stringType, stringType));
  return types;
}

function toWant(wanted: Wanted): Want | undefined {
  switch (wanted.kind) {
    case "bool":
      return { type: boolType };
    case "string":
      return { type: stringType };
    case "timestamp":
      return { type: timestampType };
    case "value":
      return wantOf(wanted.type);
    case "any":
      return undefined;
  }
}

/** The kept type of what the expression yields; undefined, and an issue, when it can't be kept. */
function yieldedType(checking: Checking, node: Expr, typed: Typed, wanted: Wanted): ValueType | undefined {
  if (wanted.kind === "value") return wanted.type;
  if (checking.issues.length > 0) return undefined;
  const type = resolve(checking.substitution, typed.type);
  const kept = toValueType(type, checking.registry);
  if (kept === undefined) {
    report(
      checking,
      node,
      "CEL_TYPE",
      `a value of type ${showType(type)} can't be kept`,
      "a message, an enum, a scalar, or a list or map of these can",
    );
  }
  return kept;
}

function toValueType(type: CelType, registry: Registry): ValueType | undefined {
  if (type.kind === "list" || type.kind === "map") {
    const element = toElementType(type.kind === "list" ? type.element : type.value, registry);
    if (element === undefined) return undefined;
    if (type.kind === "list") return { kind: "list", element };
    const key = toElementType(type.key, registry);
    return key?.kind === "scalar" ? { kind: "map", key: key.scalar, value: element } : undefined;
  }
  return toElementType(type, registry);
}

function toElementType(type: CelType, registry: Registry): ElementType | undefined {
  switch (type.kind) {
    case "bool":
      return { kind: "scalar", scalar: ScalarType.BOOL };
    case "int":
      return type.enum === undefined ? { kind: "scalar", scalar: ScalarType.INT64 } : { kind: "enum", enum: type.enum };
    case "uint":
      return { kind: "scalar", scalar: ScalarType.UINT64 };
    case "double":
      return { kind: "scalar", scalar: ScalarType.DOUBLE };
    case "string":
      return { kind: "scalar", scalar: ScalarType.STRING };
    case "bytes":
      return { kind: "scalar", scalar: ScalarType.BYTES };
    case "timestamp":
      return messageNamed("google.protobuf.Timestamp", registry);
    case "duration":
      return messageNamed("google.protobuf.Duration", registry);
    case "any":
      return messageNamed("google.protobuf.Any", registry);
    case "message":
      return { kind: "message", message: type.message };
    case "wrapper":
      return type.message === undefined ? undefined : { kind: "message", message: type.message };
    case "dyn":
    case "error":
    case "null":
    case "list":
    case "map":
    case "type":
    case "opaque":
    case "unknown":
      return undefined;
  }
}

function messageNamed(name: string, registry: Registry): ElementType | undefined {
  const message = registry.getMessage(name);
  return message === undefined ? undefined : { kind: "message", message };
}

/** Issues by position, each said once. */
function inOrder(issues: readonly Issue[]): readonly Issue[] {
  const said = new Set<string>();
  return issues
    .filter((issue) => {
      const key = `${issue.offset} ${issue.message}`;
      return said.has(key) ? false : said.add(key);
    })
    .toSorted((a, b) => a.offset - b.offset);
}
