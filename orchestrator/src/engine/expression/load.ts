import { isCelError, isCelList, plan } from "@bufbuild/cel";
import type { CelResult, CelValue } from "@bufbuild/cel";
import { ExprSchema } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import type { Expr } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import { fromBinary, isMessage } from "@bufbuild/protobuf";
import type { Registry } from "@bufbuild/protobuf";
import { isReflectMessage } from "@bufbuild/protobuf/reflect";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { CompiledExpression, CompiledExpression_Form } from "../../../../proto/gen/sidestep/internal/v1/expression.ts";
import type { CompiledExpression_Builder } from "../../../../proto/gen/sidestep/internal/v1/expression.ts";
import { rewrittenName, toActivation } from "./activation.ts";
import type { Bindings } from "./bindings.ts";
import { LocatedFailure } from "./build.ts";
import type { Builder } from "./build.ts";
import { toCopyFields } from "./copyFields.ts";
import { toEnvironment } from "./environment.ts";
import type { Environment } from "./environment.ts";
import { toKeptForm } from "./kept.ts";
import type { KeptForm } from "./kept.ts";
import { budgetMessage } from "./meter.ts";
import type { Evaluated, EvaluationFailed, RawValue } from "./result.ts";
import { parseValueType } from "./value.ts";

/** The only form of stored expressions there is so far. */
export const compiledFormat = 1;

/** An expression ready to run; made once by loadExpression, used for as long as its plan is loaded. */
export interface Expression {
  readonly source: string;
  /** Spelling of the value type it yields: formatValueType. */
  readonly type: string;
  /** Variables it reads, sorted. */
  readonly reads: readonly string[];
  /** Step ids it asks for as `steps.<id>`, sorted. */
  readonly steps: readonly string[];
  /** The variable whose bytes it yields as they are: the expression is its name, and nothing else. */
  readonly passes: string | undefined;
  /** One evaluation; evaluateBool and its kin narrow what it yields. */
  readonly evaluate: (bindings: Bindings, budget: number) => Evaluated<RawValue>;
}

/**
 * Loads CheckedExpression.bytes. The registry must hold CheckedExpression.types; nothing is checked again.
 * Throws when the bytes are not ours or a type is missing: a plan and its descriptors are stored together, so that is a bug.
 */
export function loadExpression(bytes: Uint8Array, registry: Registry): Expression {
  const compiled = CompiledExpression.decode(bytes);
  if (compiled.format !== compiledFormat)
    throw new Error(`a stored expression has format ${compiled.format}, this engine knows ${compiledFormat}`);
  const environment = toEnvironment(registry);
  const syntax = fromBinary(ExprSchema, compiled.syntax);
  const passes = passedVariable(compiled, syntax);
  return {
    source: compiled.source,
    type: compiled.type,
    reads: compiled.reads.map((read) => read.name),
    steps: compiled.steps,
    passes,
    evaluate:
      passes === undefined
        ? toCopying(compiled, syntax, environment)
        : (bindings) => passOn(compiled.type, passes, bindings),
  };
}

/** Copies on the wire what can be copied, and evaluates the rest. */
function toCopying(compiled: CompiledExpression, syntax: Expr, environment: Environment): Expression["evaluate"] {
  const copyFields = toCopyFields(compiled, syntax, environment.registry);
  const evaluate = toEvaluate(compiled, syntax, environment);
  if (copyFields === undefined) return evaluate;
  const { type } = compiled;
  return (bindings, budget) => {
    const bytes = copyFields(bindings);
    return bytes === undefined
      ? evaluate(bindings, budget)
      : { kind: "value", value: { kind: "kept", value: { type, bytes } } };
  };
}

/** Evaluation, without any shorter way. */
export function toEvaluate(
  compiled: CompiledExpression,
  syntax: Expr,
  environment: Environment,
): Expression["evaluate"] {
  const run = plan(environment.cel, syntax);
  const builders = compiled.builders.map((builder) => toBuilder(builder, environment.registry));
  const activate = toActivation(compiled, environment.registry);
  const finish = toFinish(compiled, environment);
  const { meter } = environment;
  return (bindings, budget) => {
    meter.stepsLeft = budget;
    meter.builders = builders;
    try {
      const result: CelResult = run(activate(bindings));
      if (meter.stepsLeft < 0)
        return { kind: "failed", message: budgetMessage, offset: isCelError(result) ? offsetOf(result, compiled) : 0 };
      if (isCelError(result)) return { kind: "failed", message: result.message, offset: offsetOf(result, compiled) };
      return finish(result);
    } catch (error) {
      return { kind: "failed", message: error instanceof Error ? error.message : String(error), offset: 0 };
    }
  };
}

function passedVariable(compiled: CompiledExpression, { exprKind }: Expr): string | undefined {
  const [read] = compiled.reads;
  if (compiled.form !== CompiledExpression_Form.KEPT || exprKind.case !== "identExpr" || read === undefined)
    return undefined;
  return read.type === compiled.type && exprKind.value.name === rewrittenName.variable(read.name)
    ? read.name
    : undefined;
}

/** Nothing is decoded: what a service sent goes on byte for byte. */
function passOn(type: string, name: string, bindings: Bindings): Evaluated<RawValue> {
  try {
    const bytes = bindings.variable(name);
    if (bytes === undefined) return { kind: "failed", message: `'${name}' has no value`, offset: 0 };
    return { kind: "value", value: { kind: "kept", value: { type, bytes } } };
  } catch (error) {
    return { kind: "failed", message: error instanceof Error ? error.message : String(error), offset: 0 };
  }
}

function offsetOf(error: unknown, compiled: CompiledExpression): number {
  let at: number | undefined;
  for (let cause: unknown = error; cause !== undefined; cause = Array.isArray(cause) ? cause[0] : causeOf(cause)) {
    if (cause instanceof LocatedFailure) return cause.offset;
    if (at === undefined && isCelError(cause) && cause.exprId !== undefined)
      at = compiled.offsets[Number(cause.exprId) - 1];
  }
  return at ?? 0;
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}

function toBuilder(builder: CompiledExpression_Builder, registry: Registry): Builder {
  const message = registry.getMessage(builder.message);
  if (message === undefined) throw new Error(`the plan's descriptors lack ${builder.message}`);
  const fields = builder.fields.map((number, at) => {
    const field = message.fields.find((candidate) => candidate.number === number);
    if (field === undefined) throw new Error(`the plan's descriptors lack field ${number} of ${builder.message}`);
    return { field, offset: builder.offsets[at] ?? 0 };
  });
  return { message, fields, required: message.fields.filter((field) => field.presence === legacyRequired), registry };
}

/** FeatureSet.FieldPresence.LEGACY_REQUIRED */
const legacyRequired = 3;

function toFinish(compiled: CompiledExpression, environment: Environment): (value: CelValue) => Evaluated<RawValue> {
  switch (compiled.form) {
    case CompiledExpression_Form.BOOL:
      return (value) =>
        typeof value === "boolean" ? { kind: "value", value: { kind: "bool", value } } : unlike("a bool", value);
    case CompiledExpression_Form.STRING:
      return toText;
    case CompiledExpression_Form.TIMESTAMP:
      return toInstant;
    case CompiledExpression_Form.KEPT:
      return toKept(keptFormOf(compiled.type, environment.registry));
    default:
      throw new Error(`a stored expression has form ${compiled.form}`);
  }
}

function toText(value: CelValue): Evaluated<RawValue> {
  if (typeof value !== "string") return unlike("a string", value);
  if (!value.isWellFormed())
    return { kind: "failed", message: "the text is not Unicode: a character is cut in two", offset: 0 };
  return { kind: "value", value: { kind: "string", value } };
}

function toInstant(value: CelValue): Evaluated<RawValue> {
  if (!isReflectMessage(value) || !isMessage(value.message, TimestampSchema)) return unlike("a timestamp", value);
  const { seconds, nanos } = value.message;
  return { kind: "value", value: { kind: "timestamp", value: { seconds, nanos } } };
}

function toKept(form: KeptForm): (value: CelValue) => Evaluated<RawValue> {
  const isAny = form.type === "google.protobuf.Any";
  return (value) => {
    // The checker wraps an Any in a list, because one that is yielded bare is opened.
    const yielded = isAny && isCelList(value) ? (value.get(0) ?? null) : value;
    const kept = { type: form.type, bytes: form.encode(yielded) };
    return { kind: "value", value: { kind: "kept", value: kept } };
  };
}

function unlike(expected: string, value: CelValue): EvaluationFailed {
  return {
    kind: "failed",
    message: `${expected} is expected, the expression yields ${value === null ? "null" : typeof value}`,
    offset: 0,
  };
}

/** The form of a spelled type; throws when the registry lacks it. */
export function keptFormOf(type: string, registry: Registry): KeptForm {
  const parsed = parseValueType(type, registry, "");
  if (parsed.kind === "wrong") throw new Error(`the plan's descriptors lack ${type}: ${parsed.message}`);
  return toKeptForm(parsed, registry);
}
