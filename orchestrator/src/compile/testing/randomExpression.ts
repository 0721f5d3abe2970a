import { ScalarType } from "@bufbuild/protobuf";
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import type { Random } from "./random.ts";

/** A type of CEL as the generator knows it. */
export type Kind =
  | { readonly kind: "bool" | "int" | "uint" | "double" | "string" | "bytes" | "timestamp" | "duration" | "colour" }
  | { readonly kind: "message"; readonly message: DescMessage }
  | { readonly kind: "list"; readonly element: Kind }
  | { readonly kind: "map"; readonly key: Kind; readonly value: Kind };

/** A name that an expression may read, under has(steps.<name>) when it isn't certain. */
export interface Readable {
  readonly name: string;
  readonly type: Kind;
  readonly isCertain: boolean;
}

/** Where an expression is made. */
export interface Around {
  readonly random: Random;
  readonly names: readonly Readable[];
  /** `now` and `run` can be read. */
  readonly isRunning: boolean;
  readonly depth: number;
  readonly comprehensions: number;
}

const simple = ["bool", "int", "uint", "double", "string", "bytes", "timestamp", "duration"] as const;

/** An expression that yields this type; a map literal stands for a message where one is wanted. */
export function expressionOf(type: Kind, around: Around): string {
  const { random } = around;
  if (around.depth <= 0 || random.chance(0.25)) return leafOf(type, around);
  const inner = { ...around, depth: around.depth - 1 };
  if (random.chance(0.15)) {
    return `(${expressionOf({ kind: "bool" }, inner)} ? ${expressionOf(type, inner)} : ${expressionOf(type, inner)})`;
  }
  return compoundOf(type, inner);
}

function leafOf(type: Kind, around: Around): string {
  const readable = around.names.flatMap((name) => readsOf(name)).filter((read) => isSame(read.type, type));
  if (readable.length > 0 && around.random.chance(0.7)) {
    const { text, guard } = around.random.pick(readable);
    return guard === undefined ? text : `(has(steps.${guard}) ? ${text} : ${literalOf(type, around)})`;
  }
  return literalOf(type, around);
}

interface Read {
  readonly text: string;
  readonly type: Kind;
  readonly guard: string | undefined;
}

/** The name itself, and the fields behind it. */
function readsOf({ name, type, isCertain }: Readable): readonly Read[] {
  const guard = isCertain ? undefined : name;
  const reads: Read[] = [{ text: name, type, guard }];
  const add = (text: string, message: DescMessage, depth: number): void => {
    for (const field of message.fields) {
      const found = kindOf(field);
      if (found === undefined) continue;
      reads.push({ text: `${text}.${field.name}`, type: found, guard });
      if (found.kind === "message" && depth > 0) add(`${text}.${field.name}`, found.message, depth - 1);
    }
  };
  if (type.kind === "message") add(name, type.message, 1);
  return reads;
}

function literalOf(type: Kind, around: Around): string {
  const { random } = around;
  switch (type.kind) {
    case "bool":
      return random.pick(["true", "false"]);
    case "int":
      return String(random.below(50));
    case "uint":
      return `${random.below(50)}u`;
    case "double":
      return random.pick(["0.5", "2.25", "-1.0", "1e3"]);
    case "string":
      return random.pick(['"a"', '""', '"é😀"', 'r"\\d"', '"it is"']);
    case "bytes":
      return random.pick(['b"ab"', 'b""', 'b"\\x00\\xff"']);
    case "timestamp":
      return around.isRunning ? random.pick(["now", "run.started_at"]) : 'timestamp("2026-01-31T12:00:00Z")';
    case "duration":
      return random.pick(['duration("90s")', 'duration("7d")', 'duration("1h30m")']);
    case "colour":
      return random.pick(["contract.v1.Colour.COLOUR_RED", "contract.v1.Colour.COLOUR_BLUE"]);
    case "message":
      return "{}";
    case "list":
      return "[]";
    case "map":
      return "{}";
  }
}

/** Something of parts; `inner` makes the parts. */
function compoundOf(type: Kind, inner: Around): string {
  const { random } = inner;
  const part = (kind: (typeof simple)[number]): string => expressionOf({ kind }, inner);
  switch (type.kind) {
    case "bool":
      return conditionOf(inner);
    case "int":
      return random.pick([
        () => `(${part("int")} + ${part("int")})`,
        () => `(${part("int")} - ${part("int")})`,
        () => `size(${part("string")})`,
        () => `size(${expressionOf({ kind: "list", element: { kind: "int" } }, inner)})`,
        () => `int(${part("uint")})`,
      ])();
    case "uint":
      return `(${part("uint")} + ${part("uint")})`;
    case "double":
      return random.pick([() => `(${part("double")} + ${part("double")})`, () => `double(${part("int")})`])();
    case "string":
      return random.pick([
        () => `(${part("string")} + ${part("string")})`,
        () => `string(${part("int")})`,
        () => `${part("string")}.upperAscii()`,
        () => `${expressionOf({ kind: "list", element: { kind: "string" } }, inner)}.join(",")`,
      ])();
    case "bytes":
      return random.pick([() => `bytes(${part("string")})`, () => `(${part("bytes")} + ${part("bytes")})`])();
    case "timestamp":
      return `(${part("timestamp")} + ${part("duration")})`;
    case "duration":
      return random.pick([
        () => `(${part("duration")} + ${part("duration")})`,
        () => `(${part("timestamp")} - ${part("timestamp")})`,
      ])();
    case "colour":
      return leafOf(type, inner);
    case "message":
      return mappingOf(type.message, inner);
    case "list":
      return listOf(type.element, inner);
    case "map":
      return mapOf(type.key, type.value, inner);
  }
}

function conditionOf(inner: Around): string {
  const { random } = inner;
  const bool: Kind = { kind: "bool" };
  const ordered: Kind = { kind: random.pick(simple) };
  const element: Kind = random.pick([{ kind: "int" }, { kind: "string" }] as const);
  const message = inner.names.find((name) => name.isCertain && name.type.kind === "message");
  return random.pick([
    () => `!${expressionOf(bool, inner)}`,
    () => `(${expressionOf(bool, inner)} && ${expressionOf(bool, inner)})`,
    () => `(${expressionOf(bool, inner)} || ${expressionOf(bool, inner)})`,
    () => `(${expressionOf(ordered, inner)} < ${expressionOf(ordered, inner)})`,
    () => `(${expressionOf(ordered, inner)} == ${expressionOf(ordered, inner)})`,
    () => `(${expressionOf(element, inner)} in ${expressionOf({ kind: "list", element }, inner)})`,
    () => `${expressionOf({ kind: "string" }, inner)}.startsWith(${expressionOf({ kind: "string" }, inner)})`,
    () => comprehensionOf(random.pick(["exists", "all"]), element, bool, inner),
    () =>
      message?.type.kind === "message"
        ? `has(${message.name}.${random.pick(message.type.message.fields).name})`
        : "true",
  ])();
}

/** `list.exists(v0, …)` and its kin; without comprehensions left, a literal. */
function comprehensionOf(macro: string, element: Kind, result: Kind, inner: Around): string {
  if (inner.comprehensions <= 0)
    return literalOf(macro === "map" ? { kind: "list", element: result } : { kind: "bool" }, inner);
  const name = `v${inner.comprehensions}`;
  const range = expressionOf({ kind: "list", element }, { ...inner, comprehensions: 0 });
  const body = {
    ...inner,
    comprehensions: inner.comprehensions - 1,
    names: [...inner.names, { name, type: element, isCertain: true }],
  };
  return `${range}.${macro}(${name}, ${expressionOf(result, body)})`;
}

function listOf(element: Kind, inner: Around): string {
  const { random } = inner;
  const from: Kind = random.pick([{ kind: "int" }, { kind: "string" }] as const);
  const items = (): string => Array.from({ length: random.below(3) }, () => expressionOf(element, inner)).join(", ");
  return random.pick([
    () => `[${items()}]`,
    () => `[${items()}]`,
    () => comprehensionOf("map", from, element, inner),
  ])();
}

function mapOf(key: Kind, value: Kind, inner: Around): string {
  const entries = new Map(
    Array.from({ length: inner.random.below(3) }, () => [literalOf(key, inner), expressionOf(value, inner)]),
  );
  return `{${[...entries].map(([name, text]) => `${name}: ${text}`).join(", ")}}`;
}

function mappingOf(message: DescMessage, inner: Around): string {
  const { random } = inner;
  const fields = new Map<string, string>();
  let hasChoice = false;
  for (let count = random.below(5); count > 0; count--) {
    const field = random.pick(message.fields);
    const isChoice = field.oneof !== undefined;
    if (fields.has(field.name) || (isChoice && hasChoice)) continue;
    const text = valueOf(field, inner);
    if (text === undefined) continue;
    hasChoice ||= isChoice;
    fields.set(field.name, text);
  }
  return `{${[...fields].map(([name, text]) => `${name}: ${text}`).join(", ")}}`;
}

/** What a field of a mapping may be set to; a wrapper takes its element. */
function valueOf(field: DescField, inner: Around): string | undefined {
  if (field.message?.typeName === "google.protobuf.StringValue") {
    return inner.random.chance(0.5) ? expressionOf({ kind: "string" }, inner) : bareOf(field, inner);
  }
  if (field.message?.typeName === "google.protobuf.Int64Value") {
    return inner.random.chance(0.5) ? expressionOf({ kind: "int" }, inner) : bareOf(field, inner);
  }
  const type = kindOf(field);
  if (type === undefined) return undefined;
  return inner.random.chance(0.3) ? (bareOf(field, inner) ?? expressionOf(type, inner)) : expressionOf(type, inner);
}

/** A bare selection of the same field of a variable: it copies presence. */
function bareOf(field: DescField, { names, random }: Around): string | undefined {
  const sources = names.filter(
    ({ isCertain, type }) => isCertain && type.kind === "message" && type.message.typeName === field.parent.typeName,
  );
  return sources.length === 0 ? undefined : `${random.pick(sources).name}.${field.name}`;
}

/** The generator's type of a field; undefined where it has none. */
export function kindOf(field: DescField): Kind | undefined {
  switch (field.fieldKind) {
    case "scalar":
      return kindOfScalar(field.scalar);
    case "enum":
      return { kind: "colour" };
    case "message":
      return kindOfMessage(field.message);
    case "list": {
      const element =
        field.listKind === "scalar"
          ? kindOfScalar(field.scalar)
          : field.listKind === "enum"
            ? { kind: "colour" as const }
            : kindOfMessage(field.message);
      return element === undefined ? undefined : { kind: "list", element };
    }
    case "map": {
      const value =
        field.mapKind === "scalar"
          ? kindOfScalar(field.scalar)
          : field.mapKind === "enum"
            ? { kind: "colour" as const }
            : kindOfMessage(field.message);
      return value === undefined ? undefined : { kind: "map", key: kindOfScalar(field.mapKey), value };
    }
  }
}

function kindOfMessage(message: DescMessage): Kind | undefined {
  if (message.typeName === "google.protobuf.Timestamp") return { kind: "timestamp" };
  if (message.typeName === "google.protobuf.Duration") return { kind: "duration" };
  return message.typeName.startsWith("google.") ? undefined : { kind: "message", message };
}

function kindOfScalar(scalar: ScalarType): Kind {
  switch (scalar) {
    case ScalarType.BOOL:
      return { kind: "bool" };
    case ScalarType.STRING:
      return { kind: "string" };
    case ScalarType.BYTES:
      return { kind: "bytes" };
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return { kind: "double" };
    case ScalarType.UINT32:
    case ScalarType.UINT64:
    case ScalarType.FIXED32:
    case ScalarType.FIXED64:
      return { kind: "uint" };
    default:
      return { kind: "int" };
  }
}

function isSame(a: Kind, b: Kind): boolean {
  if (a.kind === "message") return b.kind === "message" && a.message.typeName === b.message.typeName;
  if (a.kind === "list") return b.kind === "list" && isSame(a.element, b.element);
  if (a.kind === "map") return b.kind === "map" && isSame(a.key, b.key) && isSame(a.value, b.value);
  return a.kind === b.kind;
}
