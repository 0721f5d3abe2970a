import { dynType, listOf, mapOf } from "./type.ts";
import type { CelType } from "./type.ts";

/** What is known of the types not known at first. Learning replaces the bindings, so that going back to what was known before costs nothing. */
export interface Substitution {
  bindings: ReadonlyMap<number, CelType>;
  next: number;
}

/** A type nothing is known of yet. */
export function freshType(substitution: Substitution): CelType {
  substitution.next += 1;
  return { kind: "unknown", number: substitution.next };
}

/** The type, as far as it is known at its top. */
export function prune(substitution: Substitution, type: CelType): CelType {
  let known = type;
  while (known.kind === "unknown") {
    const bound = substitution.bindings.get(known.number);
    if (bound === undefined) return known;
    known = bound;
  }
  return known;
}

/** The type with everything known filled in, and `dyn` for what nobody knows. */
export function resolve(substitution: Substitution, type: CelType): CelType {
  return mapType(substitution, type, () => dynType);
}

/** The type with everything known filled in, the rest left open. */
export function settle(substitution: Substitution, type: CelType): CelType {
  return mapType(substitution, type, (open) => open);
}

function mapType(substitution: Substitution, type: CelType, whenOpen: (open: CelType) => CelType): CelType {
  const known = prune(substitution, type);
  return known.kind === "unknown" ? whenOpen(known) : mapParts(known, (part) => mapType(substitution, part, whenOpen));
}

/** A declaration's type with its parameters (numbers below 0) made fresh, the same for the same number. */
export function instantiate(substitution: Substitution, type: CelType, parameters: Map<number, CelType>): CelType {
  if (type.kind !== "unknown") return mapParts(type, (part) => instantiate(substitution, part, parameters));
  const known = parameters.get(type.number) ?? freshType(substitution);
  parameters.set(type.number, known);
  return known;
}

function mapParts(type: Exclude<CelType, { readonly kind: "unknown" }>, inner: (part: CelType) => CelType): CelType {
  switch (type.kind) {
    case "list":
      return listOf(inner(type.element));
    case "map":
      return mapOf(inner(type.key), inner(type.value));
    case "type":
      return { kind: "type", of: inner(type.of) };
    case "opaque":
      return { kind: "opaque", name: type.name, parameters: type.parameters.map(inner) };
    case "wrapper":
    case "message":
    case "int":
    case "dyn":
    case "error":
    case "null":
    case "bool":
    case "uint":
    case "double":
    case "string":
    case "bytes":
    case "timestamp":
    case "duration":
    case "any":
      return type;
  }
}

/** Can a value of `given` stand where `wanted` is? Learns what that says of unknown types; learns nothing when it can't. */
export function fits(substitution: Substitution, given: CelType, wanted: CelType): boolean {
  const before = substitution.bindings;
  if (unify(substitution, given, wanted)) return true;
  substitution.bindings = before;
  return false;
}

function unify(substitution: Substitution, given: CelType, wanted: CelType): boolean {
  const a = prune(substitution, given);
  const b = prune(substitution, wanted);
  if (a === b) return true;
  if (wanted.kind === "unknown" && b.kind !== "unknown" && isMoreGeneral(substitution, a, b)) {
    widen(substitution, wanted.number, a);
    return true;
  }
  if (b.kind === "unknown") return bind(substitution, b.number, a);
  if (a.kind === "unknown") return bind(substitution, a.number, b);
  if (isOpen(a) || isOpen(b)) return true;
  if (a.kind === "null") return isNullable(b);
  if (b.kind === "null") return isNullable(a);
  if (b.kind === "wrapper") return unify(substitution, a.kind === "wrapper" ? a.element : a, b.element);
  if (a.kind === "wrapper") return unify(substitution, a.element, b);
  if (a.kind === "list" && b.kind === "list") return unify(substitution, a.element, b.element);
  if (a.kind === "map" && b.kind === "map")
    return unify(substitution, a.key, b.key) && unify(substitution, a.value, b.value);
  if (a.kind === "message" && b.kind === "message") return a.message.typeName === b.message.typeName;
  if (a.kind === "opaque" && b.kind === "opaque") return unifyOpaque(substitution, a, b);
  return a.kind === b.kind;
}

/** Is the type the same but for `dyn` where the other knows more? Then what is wanted widens: [1] + [dyn(x)] is a list of dyn. */
function isMoreGeneral(substitution: Substitution, type: CelType, than: CelType): boolean {
  const a = prune(substitution, type);
  const b = prune(substitution, than);
  if (a.kind === "dyn") return b.kind !== "dyn" && b.kind !== "unknown";
  if (a.kind === "list" && b.kind === "list") return isMoreGeneral(substitution, a.element, b.element);
  return a.kind === "map" && b.kind === "map" && isMoreGeneral(substitution, a.value, b.value);
}

function widen(substitution: Substitution, number: number, type: CelType): void {
  let last = number;
  for (let next = substitution.bindings.get(last); next?.kind === "unknown"; next = substitution.bindings.get(last))
    last = next.number;
  learn(substitution, last, type);
}

/** From now on the unknown type of this number is known to be `type`. */
export function learn(substitution: Substitution, number: number, type: CelType): void {
  substitution.bindings = new Map(substitution.bindings).set(number, type);
}

type Opaque = CelType & { readonly kind: "opaque" };

function unifyOpaque(substitution: Substitution, a: Opaque, b: Opaque): boolean {
  if (a.name !== b.name || a.parameters.length !== b.parameters.length) return false;
  return a.parameters.every((parameter, at) => unify(substitution, parameter, b.parameters[at] ?? dynType));
}

function bind(substitution: Substitution, number: number, type: CelType): boolean {
  if (type.kind === "unknown" && type.number === number) return true;
  if (occurs(substitution, number, type)) return false;
  learn(substitution, number, type);
  return true;
}

function occurs(substitution: Substitution, number: number, type: CelType): boolean {
  const known = prune(substitution, type);
  switch (known.kind) {
    case "unknown":
      return known.number === number;
    case "list":
      return occurs(substitution, number, known.element);
    case "map":
      return occurs(substitution, number, known.key) || occurs(substitution, number, known.value);
    case "type":
      return occurs(substitution, number, known.of);
    case "opaque":
      return known.parameters.some((parameter) => occurs(substitution, number, parameter));
    case "wrapper":
    case "message":
    case "int":
    case "dyn":
    case "error":
    case "null":
    case "bool":
    case "uint":
    case "double":
    case "string":
    case "bytes":
    case "timestamp":
    case "duration":
    case "any":
      return false;
  }
}

/** A value of such a type is looked at when it is there. */
function isOpen(type: CelType): boolean {
  return type.kind === "dyn" || type.kind === "error" || type.kind === "any";
}

function isNullable(type: CelType): boolean {
  return ["null", "message", "wrapper", "timestamp", "duration", "opaque"].includes(type.kind);
}

/** The more general of two types that stand for the same thing; `dyn` when there is none. */
export function join(substitution: Substitution, first: CelType | undefined, second: CelType): CelType {
  if (first === undefined) return second;
  const a = prune(substitution, first);
  const b = prune(substitution, second);
  if (a.kind === "list" && b.kind === "list" && fits(substitution, b, a))
    return listOf(join(substitution, a.element, b.element));
  if (a.kind === "map" && b.kind === "map" && fits(substitution, b, a)) {
    return mapOf(join(substitution, a.key, b.key), join(substitution, a.value, b.value));
  }
  if (a.kind === "opaque" && b.kind === "opaque" && fits(substitution, b, a)) {
    const parameters = a.parameters.map((parameter, at) => join(substitution, parameter, b.parameters[at] ?? dynType));
    return { kind: "opaque", name: a.name, parameters };
  }
  if (a.kind === "int" && b.kind === "int") return a.enum !== undefined && a.enum === b.enum ? a : { kind: "int" };
  if (fits(substitution, a, b)) {
    if (a.kind === "dyn" && b.kind !== "dyn") return a;
    return b.kind === "wrapper" || a.kind === "null" || b.kind === "dyn" ? b : a;
  }
  if (fits(substitution, b, a)) return b.kind === "dyn" ? b : a;
  return dynType;
}
