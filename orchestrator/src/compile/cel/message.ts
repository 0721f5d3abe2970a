import type { Expr, Expr_CreateStruct, Expr_CreateStruct_Entry } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { isRedacted } from "../../engine/expression/redacted.ts";
import { candidateNames } from "../../engine/expression/value.ts";
import { report, reportAt, suggest } from "./checking.ts";
import type { BuilderDraft, Checking, Place, Typed, Want } from "./checking.ts";
import { entryWants, inferAs, wantOf } from "./fit.ts";
import { lookUp } from "./names.ts";
import { makeCall, makeConstant, makeList } from "./node.ts";
import { inferOptionalEntry } from "./optional.ts";
import { mapOf, typeOfMessage, valueTypeOfField } from "./type.ts";
import type { CelType } from "./type.ts";
import { freshType, join, prune } from "./unify.ts";

/** Types a literal in braces: a named message, the message that is wanted, or a map. */
export function inferBraces(
  checking: Checking,
  node: Expr,
  literal: Expr_CreateStruct,
  place: Place,
  want: Want | undefined,
): Typed {
  if (literal.messageName !== "") return inferNamed(checking, node, literal, place);
  const wanted = want === undefined ? undefined : prune(checking.substitution, want.type);
  if (wanted?.kind === "message") return buildMessage(checking, node, wanted.message, literal, place);
  if (wanted?.kind === "timestamp" || wanted?.kind === "duration") {
    const hint = wanted.kind === "timestamp" ? 'timestamp("2026-01-31T12:00:00Z"), or now' : 'duration("5m")';
    return {
      type: report(
        checking,
        node,
        "CEL_TYPE",
        `${want?.what ?? "the value"} is ${wanted.kind}, the expression is a map`,
        hint,
      ),
      node,
    };
  }
  return inferMap(checking, node, literal, place, want);
}

function inferNamed(checking: Checking, node: Expr, literal: Expr_CreateStruct, place: Place): Typed {
  for (const candidate of candidateNames(literal.messageName, checking.container)) {
    const message = checking.registry.getMessage(candidate);
    if (message !== undefined) return buildMessage(checking, node, message, literal, place);
  }
  const names = [...checking.registry].filter((desc) => desc.kind === "message").map((desc) => desc.typeName);
  const near = suggest(literal.messageName, names, "messages");
  for (const entry of literal.entries)
    if (entry.value !== undefined) checking.infer(checking, entry.value, place, undefined);
  return { type: report(checking, node, "CEL_UNKNOWN_NAME", `unknown message '${literal.messageName}'`, near), node };
}

interface FieldEntry {
  readonly field: DescField;
  readonly value: Expr;
  readonly entry: Expr_CreateStruct_Entry;
}

function buildMessage(
  checking: Checking,
  node: Expr,
  message: DescMessage,
  literal: Expr_CreateStruct,
  place: Place,
): Typed {
  checking.found.types.add(message.typeName);
  const entries: FieldEntry[] = [];
  for (const entry of literal.entries) {
    const field = fieldOf(checking, entry, message);
    if (entry.value === undefined) continue;
    if (field === undefined) checking.infer(checking, entry.value, place, undefined);
    else entries.push({ field, value: entry.value, entry });
  }
  if (checking.strict) checkEntries(checking, node, message, entries);
  const values = entries.map((entry) => inferField(checking, message, entry, place));
  const draft: BuilderDraft = {
    message,
    fields: entries.map(({ field, value }) => ({ field, offset: checking.parsed.spanOf(value).offset })),
  };
  const index = checking.found.builders.push(draft) - 1;
  const number = makeConstant(checking, node, { case: "int64Value", value: BigInt(index) });
  return {
    type: typeOfMessage(message),
    node: makeCall(checking, node, "@message", [number, makeList(checking, node, values)]),
  };
}

function inferField(checking: Checking, message: DescMessage, { field, value, entry }: FieldEntry, place: Place): Expr {
  const { redacted } = checking.found;
  const before = redacted.length;
  const built = inferValue(checking, message, { field, value, entry }, place);
  if (isRedacted(field)) redacted.length = before;
  return built;
}

function inferValue(checking: Checking, message: DescMessage, { field, value, entry }: FieldEntry, place: Place): Expr {
  const want = wantOf(valueTypeOfField(field), `field '${field.name}' of ${message.name}`);
  if (entry.optionalEntry) return inferOptionalEntry(checking, value, place, want).node;
  const single = field.fieldKind === "scalar" || field.fieldKind === "enum" || field.fieldKind === "message";
  const presence = field.presence === implicitPresence ? "implicit" : "explicit";
  return inferAs(checking, value, place, single && checking.strict ? { ...want, presence } : want).node;
}

/** FeatureSet.FieldPresence.IMPLICIT and LEGACY_REQUIRED */
const implicitPresence = 2;
const requiredPresence = 3;

function fieldOf(checking: Checking, entry: Expr_CreateStruct_Entry, message: DescMessage): DescField | undefined {
  const name = keyName(entry);
  const span =
    entry.keyKind.case === "mapKey" ? checking.parsed.spanOf(entry.keyKind.value) : checking.parsed.spanAt(entry.id);
  if (name === undefined) {
    reportAt(
      checking,
      span,
      "CEL_TYPE",
      `the name of a field of ${message.typeName} is expected`,
      "in a message the keys are field names",
    );
    return undefined;
  }
  const field = message.fields.find((candidate) => candidate.name === name);
  if (field !== undefined) return field;
  const names = message.fields.map((candidate) => candidate.name);
  const camel = message.fields.find((candidate) => candidate.jsonName === name)?.name;
  const hint = camel === undefined ? suggest(name, names, "fields") : `did you mean '${camel}'?`;
  reportAt(checking, span, "CEL_UNKNOWN_FIELD", `message ${message.typeName} has no field '${name}'`, hint);
  return undefined;
}

function keyName(entry: Expr_CreateStruct_Entry): string | undefined {
  if (entry.keyKind.case === "fieldKey") return entry.keyKind.value;
  const key = entry.keyKind.case === "mapKey" ? entry.keyKind.value.exprKind : undefined;
  if (key?.case === "identExpr") return key.value.name;
  return key?.case === "constExpr" && key.value.constantKind.case === "stringValue"
    ? key.value.constantKind.value
    : undefined;
}

function checkEntries(checking: Checking, node: Expr, message: DescMessage, entries: readonly FieldEntry[]): void {
  const seen = new Set<string>();
  const arms = new Map<string, FieldEntry>();
  for (const entry of entries) {
    const { field } = entry;
    const span =
      entry.entry.keyKind.case === "mapKey"
        ? checking.parsed.spanOf(entry.entry.keyKind.value)
        : checking.parsed.spanAt(entry.entry.id);
    if (seen.has(field.name)) reportAt(checking, span, "CEL_MAPPING", `field '${field.name}' is set twice`);
    seen.add(field.name);
    if (field.oneof === undefined) continue;
    const other = arms.get(field.oneof.name);
    if (other !== undefined && other.field !== field && !(maybeUnset(entry) && maybeUnset(other))) {
      const both = `'${other.field.name}' and '${field.name}' are both set, but only one of the oneof '${field.oneof.name}' can be`;
      reportAt(
        checking,
        span,
        "CEL_MAPPING",
        both,
        "bare selections of another oneof's fields copy the one that is set",
      );
    }
    arms.set(field.oneof.name, entry);
  }
  for (const field of message.fields) {
    if (field.presence !== requiredPresence || seen.has(field.name)) continue;
    report(checking, node, "CEL_MAPPING", `required field '${field.name}' of ${message.typeName} is missing`);
  }
}

function maybeUnset({ entry, value }: FieldEntry): boolean {
  return entry.optionalEntry || isMaybeUnset(value);
}

/** Might the value be left unset: a bare selection, a null, or a condition one of whose arms is such? */
function isMaybeUnset(value: Expr): boolean {
  const { exprKind } = value;
  if (exprKind.case === "selectExpr") return !exprKind.value.testOnly;
  if (exprKind.case === "constExpr") return exprKind.value.constantKind.case === "nullValue";
  if (exprKind.case !== "callExpr" || exprKind.value.function !== "_?_:_") return false;
  return exprKind.value.args.slice(1).some(isMaybeUnset);
}

function inferMap(
  checking: Checking,
  node: Expr,
  literal: Expr_CreateStruct,
  place: Place,
  want: Want | undefined,
): Typed {
  const wants = entryWants(checking, want);
  let keyType: CelType | undefined = wants?.key.type;
  let valueType: CelType | undefined = wants?.value.type;
  const parts: Expr[] = [];
  for (const entry of literal.entries) {
    if (entry.keyKind.case !== "mapKey" || entry.value === undefined) continue;
    const key = inferKey(checking, entry.keyKind.value, place, wants?.key);
    const value = entry.optionalEntry
      ? inferOptionalEntry(checking, entry.value, place, wants?.value)
      : wants === undefined
        ? checking.infer(checking, entry.value, place, undefined)
        : inferAs(checking, entry.value, place, wants.value);
    if (wants === undefined) {
      keyType = join(checking.substitution, keyType, key.type);
      valueType = join(checking.substitution, valueType, value.type);
    }
    parts.push(key.node, value.node);
  }
  const type = mapOf(keyType ?? freshType(checking.substitution), valueType ?? freshType(checking.substitution));
  return { type, node: makeCall(checking, node, "@map", [makeList(checking, node, parts)]) };
}

function inferKey(checking: Checking, key: Expr, place: Place, want: Want | undefined): Typed {
  const bare = key.exprKind.case === "identExpr" ? key.exprKind.value.name : undefined;
  if (bare !== undefined && checking.strict && lookUp(checking, key, bare, place) === undefined) {
    const message = `unknown name '${bare}'`;
    return {
      type: report(checking, key, "CEL_UNKNOWN_NAME", message, `the keys of a map are expressions: write "${bare}"`),
      node: key,
    };
  }
  const typed =
    want === undefined ? checking.infer(checking, key, place, undefined) : inferAs(checking, key, place, want);
  const known = prune(checking.substitution, typed.type);
  if (checking.strict && !mayBeKey(known)) {
    return {
      type: report(checking, key, "CEL_TYPE", "this can't be the key of a map", "keys are string, bool, int or uint"),
      node: key,
    };
  }
  return typed;
}

function mayBeKey(type: CelType): boolean {
  return ["string", "bool", "int", "uint", "dyn", "error", "unknown"].includes(type.kind);
}
