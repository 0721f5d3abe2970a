import type { Expr } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import type { DescEnum, Registry } from "@bufbuild/protobuf";
import { rewrittenName } from "../../engine/expression/activation.ts";
import { candidateNames } from "../../engine/expression/value.ts";
import { noteRedacted, report, suggest } from "./checking.ts";
import type { Checking, Local, Place, Typed, Want } from "./checking.ts";
import { makeCall, makeConstant, makeName } from "./node.ts";
import {
  boolType,
  bytesType,
  doubleType,
  dynType,
  errorType,
  intType,
  listOf,
  mapOf,
  nullType,
  optionalOf,
  stringType,
  typeOfMessage,
  uintType,
} from "./type.ts";
import type { CelType } from "./type.ts";

/** The type and rewriting of a name; an issue when nobody knows it, or it can't be read here. */
export function inferName(checking: Checking, node: Expr, name: string, place: Place, want: Want | undefined): Typed {
  const found = lookUp(checking, node, checking.parsed.isAbsolute(node) ? `.${name}` : name, place);
  if (found !== undefined) return found;
  const wanted = wantedEnum(want);
  const value = wanted?.values.find((candidate) => candidate.name === name);
  if (wanted !== undefined && value !== undefined) return enumValue(checking, node, wanted, value.number);
  if (name === "steps" && checking.steps !== undefined) {
    return {
      type: report(
        checking,
        node,
        "CEL_TYPE",
        "'steps' has no value of its own",
        "write steps.<id>, or has(steps.<id>)",
      ),
      node,
    };
  }
  const meant = namesElsewhere.get(name);
  const values = wanted?.values.map((candidate) => candidate.name) ?? [];
  const type = report(
    checking,
    node,
    "CEL_UNKNOWN_NAME",
    `unknown name '${name}'`,
    meant ?? suggest(name, [...visibleNames(checking, place), ...values], "known here"),
  );
  return { type, node };
}

const noValue = "there is null, and has(a.b) says whether a field is set";

/** Words that have a meaning elsewhere, and what is written here. */
const namesElsewhere: ReadonlyMap<string, string> = new Map([
  ["None", noValue],
  ["nil", noValue],
  ["undefined", noValue],
  ["NULL", noValue],
  ["Null", noValue],
  ["True", "it is written true"],
  ["TRUE", "it is written true"],
  ["False", "it is written false"],
  ["FALSE", "it is written false"],
  ["request", "the workflow's request is input"],
  ["req", "the workflow's request is input"],
  ["self", "the workflow's request is input"],
  ["this", "the workflow's request is input"],
  ["headers", "the caller's headers are metadata"],
  ["lambda", "a macro names its variable: list.map(x, x.field)"],
  ["NaN", 'it is written double("NaN")'],
  ["Infinity", 'it is written double("inf")'],
]);

/** What a name, or names with dots, stands for; undefined when it stands for nothing. */
export function lookUp(checking: Checking, node: Expr, name: string, place: Place): Typed | undefined {
  const local = name.startsWith(".") || name.includes(".") ? undefined : localNamed(place.locals, name);
  if (local !== undefined) return { type: local.type, node: readLocal(checking, node, local) };
  for (const candidate of candidateNames(name, checking.container)) {
    const found =
      variableNamed(checking, node, candidate, place) ??
      builtInNamed(checking, node, candidate) ??
      typeOrValueNamed(checking, node, candidate);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The innermost variable of a comprehension with that name. */
export function localNamed(locals: Local | undefined, name: string): Local | undefined {
  for (let local = locals; local !== undefined; local = local.outer) if (local.name === name) return local;
  return undefined;
}

/** A macro with two variables walks over entries: each variable is a part of one. */
function readLocal(checking: Checking, node: Expr, local: Local): Expr {
  const read = makeName(checking, node, local.rewritten);
  return local.part === undefined ? read : makeCall(checking, node, local.part, [read]);
}

function variableNamed(checking: Checking, node: Expr, name: string, place: Place): Typed | undefined {
  const variable = checking.variables.get(name);
  if (variable === undefined) return undefined;
  if (variable.kind === "hidden") {
    return {
      type: report(checking, node, "CEL_NOT_IN_SCOPE", `'${name}' can't be read here: ${variable.reason}`),
      node,
    };
  }
  if (variable.kind === "conditional" && !place.ran.has(name)) {
    const message = `step '${name}' may not have run here: ${variable.reason}`;
    report(checking, node, "CEL_MAY_NOT_HAVE_RUN", message, `guard it: has(steps.${name}) ? ${name}… : …`);
  }
  checking.found.variables.set(name, variable.kept);
  if (variable.kept?.isRedacted === true) noteRedacted(checking, node, `what '${name}' holds`);
  const read = makeName(checking, node, rewrittenName.variable(name));
  return { type: variable.type, node: read, holds: variable.holds };
}

function builtInNamed(checking: Checking, node: Expr, name: string): Typed | undefined {
  const type = checking.builtIns.get(name);
  if (type === undefined) return undefined;
  checking.found.builtIns.add(name);
  if (type.kind === "message") checking.found.types.add(type.message.typeName);
  return { type, node: makeName(checking, node, rewrittenName.builtIn(name)) };
}

function typeOrValueNamed(checking: Checking, node: Expr, name: string): Typed | undefined {
  const type = typeNamed(checking.registry, name, checking.strict);
  if (type !== undefined) {
    if (checking.registry.getMessage(name) !== undefined) checking.found.types.add(name);
    return { type: { kind: "type", of: type }, node: makeName(checking, node, name) };
  }
  const dot = name.lastIndexOf(".");
  if (dot < 0) return undefined;
  const scope = name.slice(0, dot);
  const valueName = name.slice(dot + 1);
  for (const desc of enumsAt(checking.registry, scope)) {
    const value = desc.values.find((candidate) => candidate.name === valueName);
    if (value !== undefined) return enumValue(checking, node, desc, value.number);
  }
  return undefined;
}

/** The enums whose values can be named behind `scope`: the enum itself, and those that stand in that scope, as protobuf names them. */
function enumsAt(registry: Registry, scope: string): readonly DescEnum[] {
  const itself = registry.getEnum(scope);
  return itself === undefined ? (enumScopes(registry).get(scope) ?? []) : [itself];
}

const scopesOf = new WeakMap<Registry, ReadonlyMap<string, readonly DescEnum[]>>();

function enumScopes(registry: Registry): ReadonlyMap<string, readonly DescEnum[]> {
  const known = scopesOf.get(registry);
  if (known !== undefined) return known;
  const scopes = new Map<string, DescEnum[]>();
  for (const desc of registry) {
    if (desc.kind !== "enum") continue;
    const scope = desc.typeName.slice(0, Math.max(0, desc.typeName.lastIndexOf(".")));
    const there = scopes.get(scope);
    if (there === undefined) scopes.set(scope, [desc]);
    else there.push(desc);
  }
  scopesOf.set(registry, scopes);
  return scopes;
}

const rootsOf = new WeakMap<Registry, ReadonlySet<string>>();

/** First segments of the packages that the types are in. */
export function packageRoots(registry: Registry): ReadonlySet<string> {
  const known = rootsOf.get(registry);
  if (known !== undefined) return known;
  const roots = new Set([...registry].map((desc) => desc.file.proto.package.split(".")[0] ?? ""));
  rootsOf.set(registry, roots);
  return roots;
}

/** Full names of all messages and enum values, as expressions name them. */
export function constantNames(registry: Registry): readonly string[] {
  return [...registry].flatMap((desc) => {
    if (desc.kind === "message") return [desc.typeName];
    return desc.kind === "enum" ? desc.values.map((value) => `${desc.typeName}.${value.name}`) : [];
  });
}

function enumValue(checking: Checking, node: Expr, desc: DescEnum, number: number): Typed {
  // The evaluator needs the number alone; the content of the workflow hangs on what the name means.
  checking.found.types.add(desc.typeName);
  return {
    type: { kind: "int", enum: desc },
    node: makeConstant(checking, node, { case: "int64Value", value: BigInt(number) }),
  };
}

/** The enum whose values a wanted number has. */
export function wantedEnum(want: Want | undefined): DescEnum | undefined {
  if (want?.kept?.kind === "enum") return want.kept.enum;
  return want?.type.kind === "int" ? want.type.enum : undefined;
}

function typeNamed(registry: Registry, name: string, isStrict: boolean): CelType | undefined {
  switch (name) {
    case "optional_type":
      // The evaluator has no such value.
      return isStrict ? undefined : optionalOf(dynType);
    case "int":
      return intType;
    case "uint":
      return uintType;
    case "double":
      return doubleType;
    case "bool":
      return boolType;
    case "string":
      return stringType;
    case "bytes":
      return bytesType;
    case "list":
      return listOf(dynType);
    case "map":
      return mapOf(dynType, dynType);
    case "null_type":
      return nullType;
    case "type":
      return { kind: "type", of: dynType };
  }
  const message = registry.getMessage(name);
  return message === undefined ? undefined : typeOfMessage(message);
}

/** The hint at a path that begins like a package, where a variable was meant. */
export function readableHere(checking: Checking, [root = ""]: readonly string[], place: Place): string | undefined {
  const known = suggest(root, visibleNames(checking, place), "known here");
  return known === undefined ? undefined : `'${root}' is a package; ${known}`;
}

/** Names for "did you mean". */
function visibleNames(checking: Checking, place: Place): readonly string[] {
  const names: string[] = [];
  for (let local = place.locals; local !== undefined; local = local.outer)
    if (!local.name.startsWith("@")) names.push(local.name);
  for (const name of checking.variables.keys()) if (checking.variables.get(name)?.kind !== "hidden") names.push(name);
  names.push(...checking.builtIns.keys());
  return names;
}

/** `steps.<id>`: that the step has a result (when tested), or what is known of it. */
export function inferStep(checking: Checking, node: Expr, id: string, isTest: boolean): Typed {
  const visibility = checking.steps?.get(id);
  if (visibility === undefined) {
    const known = [...(checking.steps ?? [])].filter(([, step]) => step.kind === "visible").map(([name]) => name);
    return {
      type: report(checking, node, "CEL_UNKNOWN_NAME", `there is no step '${id}'`, suggest(id, known, "steps")),
      node,
    };
  }
  if (visibility.kind === "hidden") {
    return {
      type: report(checking, node, "CEL_NOT_IN_SCOPE", `steps.${id} can't be asked here: ${visibility.reason}`),
      node,
    };
  }
  checking.found.steps.add(id);
  const record = checking.registry.getMessage("sidestep.v1.StepRecord");
  if (record === undefined) {
    return {
      type: report(
        checking,
        node,
        "CEL_UNKNOWN_NAME",
        "sidestep.v1.StepRecord is not in the image",
        "import sidestep/v1/workflow.proto",
      ),
      node,
    };
  }
  checking.found.types.add(record.typeName);
  if (isTest) return { type: boolType, node: makeName(checking, node, rewrittenName.stepRan(id)) };
  return { type: { kind: "message", message: record }, node: makeName(checking, node, rewrittenName.stepRecord(id)) };
}

/** An expression nobody could type. */
export function unknownNode(node: Expr): Typed {
  return { type: errorType, node };
}
