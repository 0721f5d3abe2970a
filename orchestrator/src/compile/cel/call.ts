import type { Expr, Expr_Call } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import { candidateNames } from "../../engine/expression/value.ts";
import { closest } from "../closest.ts";
import { report, suggest } from "./checking.ts";
import type { Checking, Place, Typed, Want } from "./checking.ts";
import { constantProblem } from "./constant.ts";
import { knownElsewhere } from "./declarations.ts";
import type { Signature } from "./declarations.ts";
import { conversionHint, elementWant, inferAs, inferCondition } from "./fit.ts";
import { inferFormat } from "./format.ts";
import { placeWhen } from "./guard.ts";
import { lookUp } from "./names.ts";
import { makeCall } from "./node.ts";
import { inferOptionalSelect, makeFunction } from "./optional.ts";
import { boolType, dynType, errorType, listOf, showType } from "./type.ts";
import type { CelType } from "./type.ts";
import { fits, instantiate, join, prune, resolve, settle } from "./unify.ts";

/** Types a call of a function, method or operator. */
export function inferCall(
  checking: Checking,
  node: Expr,
  call: Expr_Call,
  place: Place,
  want: Want | undefined,
): Typed {
  switch (call.function) {
    case "_?_:_":
      return inferChoice(checking, node, call, place, want);
    case "_&&_":
    case "_||_":
      return inferLogic(checking, node, call, place);
    case "_+_":
      if (isListWanted(checking, want)) return inferConcatenation(checking, node, call, place, want);
      break;
    case "_?._":
      return inferOptionalSelect(checking, node, call.args, place);
    case "has":
      report(checking, node, "CEL_TYPE", "has() tests a field", "has(a.b) is the form");
      return { type: boolType, node };
  }
  return inferFormat(checking, node, call, place) ?? inferFunction(checking, node, call, place);
}

function inferChoice(checking: Checking, node: Expr, call: Expr_Call, place: Place, want: Want | undefined): Typed {
  const [condition, yes, no] = call.args;
  if (condition === undefined || yes === undefined || no === undefined) return { type: errorType, node };
  const test = inferCondition(checking, condition, place, "the condition");
  const whenTrue = placeWhen(place, condition, true);
  const whenFalse = placeWhen(place, condition, false);
  const wanted = want === undefined ? undefined : prune(checking.substitution, want.type);
  if (want !== undefined && wanted?.kind !== "unknown") {
    const first = inferAs(checking, yes, whenTrue, want);
    const second = inferAs(checking, no, whenFalse, want);
    return { type: want.type, node: makeCall(checking, node, call.function, [test.node, first.node, second.node]) };
  }
  const [first, second] = inferPair(checking, [yes, whenTrue], [no, whenFalse]);
  const chosen = makeCall(checking, node, call.function, [test.node, first.node, second.node]);
  if (fits(checking.substitution, first.type, second.type) || fits(checking.substitution, second.type, first.type)) {
    return { type: join(checking.substitution, first.type, second.type), node: chosen };
  }
  const shown = [first, second].map((typed) => showType(resolve(checking.substitution, typed.type)));
  const message = `one arm of the condition is ${shown[0]}, the other ${shown[1]}`;
  return { type: report(checking, node, "CEL_TYPE", message, "both arms need one type"), node: chosen };
}

function inferLogic(checking: Checking, node: Expr, call: Expr_Call, place: Place): Typed {
  const what = `a side of ${call.function === "_&&_" ? "&&" : "||"}`;
  let here = place;
  const nodes: Expr[] = [];
  for (const side of call.args) {
    nodes.push(inferCondition(checking, side, here, what).node);
    here = placeWhen(here, side, call.function === "_&&_");
  }
  return { type: boolType, node: makeCall(checking, node, call.function, nodes) };
}

function isListWanted(checking: Checking, want: Want | undefined): want is Want {
  return (
    want !== undefined &&
    prune(checking.substitution, want.type).kind === "list" &&
    elementWant(checking, want)?.type.kind !== "unknown"
  );
}

function inferConcatenation(checking: Checking, node: Expr, call: Expr_Call, place: Place, want: Want): Typed {
  const { presence: _, ...both } = want;
  const nodes = call.args.map((arg) => inferAs(checking, arg, place, both).node);
  return { type: want.type, node: makeCall(checking, node, call.function, nodes) };
}

/** Types two nodes of which each may tell the other's literals what kind of number, or which enum's value, they are. */
function inferPair(
  checking: Checking,
  first: readonly [Expr, Place],
  second: readonly [Expr, Place],
): readonly [Typed, Typed] {
  const firstIsLeading = !leansOnOther(first[0]) || leansOnOther(second[0]);
  const [lead, follow] = firstIsLeading ? [first, second] : [second, first];
  const led = checking.infer(checking, lead[0], lead[1], undefined);
  const want = leansOnOther(follow[0]) ? literalWant(checking, led.type) : undefined;
  const followed = checking.infer(checking, follow[0], follow[1], want);
  return firstIsLeading ? [led, followed] : [followed, led];
}

/** A whole-number literal or a bare name takes on what stands beside it. */
function leansOnOther(node: Expr): boolean {
  if (node.exprKind.case === "identExpr") return true;
  return node.exprKind.case === "constExpr" && node.exprKind.value.constantKind.case === "int64Value";
}

function literalWant(checking: Checking, beside: CelType): Want | undefined {
  const type = prune(checking.substitution, beside);
  const element = type.kind === "wrapper" ? type.element : type;
  if (element.kind === "double" || element.kind === "uint") return { type: element };
  return element.kind === "int" && element.enum !== undefined ? { type: element } : undefined;
}

function inferFunction(checking: Checking, node: Expr, call: Expr_Call, place: Place): Typed {
  const { name, target } = nameOf(checking, call);
  const given = target === undefined ? call.args : [target, ...call.args];
  const isMember = target !== undefined;
  const forms = formsOf(checking, name);
  if (forms.length === 0) return unknownFunction(checking, node, name, call, place);
  const typed = inferArguments(checking, name, given, place);
  if (!forms.some((form) => form.isMember === isMember)) {
    const hint = isMember ? `it is a function: ${name}(x)` : `it is a method: x.${name}(…)`;
    return { type: report(checking, node, "CEL_TYPE", `${name} is not called like this`, hint), node };
  }
  const result = resolveForms(
    checking,
    forms.filter((form) => form.isMember === isMember),
    typed,
  );
  if (result === undefined) return noSuchForm(checking, node, name, isMember, typed);
  const nodes = typed.map((part) => part.node);
  if (checking.strict) {
    if (name === "_==_" || name === "_!=_") compareEnums(checking, node, typed);
    const problem = constantProblem(name, isMember, nodes);
    if (problem !== undefined)
      report(checking, given[problem.argument] ?? node, "CEL_CONSTANT", problem.message, problem.hint);
  }
  return { type: result, node: makeFunction(checking, node, name, isMember, typed, result) };
}

/** Two enums are never equal on purpose. */
function compareEnums(checking: Checking, node: Expr, typed: readonly Typed[]): void {
  const [left, right] = typed.map((part) => prune(checking.substitution, part.type));
  if (left?.kind !== "int" || right?.kind !== "int" || left.enum === undefined || right.enum === undefined) return;
  if (left.enum.typeName === right.enum.typeName) return;
  const message = `a value of ${left.enum.typeName} is compared with one of ${right.enum.typeName}`;
  report(checking, node, "CEL_TYPE", message, "int(…) takes the number as it is");
}

function nameOf(checking: Checking, call: Expr_Call): { readonly name: string; readonly target: Expr | undefined } {
  const path = call.target === undefined ? undefined : pathOf(call.target);
  if (path !== undefined) {
    for (const candidate of candidateNames(`${path}.${call.function}`, checking.container)) {
      if (formsOf(checking, candidate).length > 0) return { name: candidate, target: undefined };
    }
  }
  if (call.target === undefined) {
    for (const candidate of candidateNames(call.function, checking.container)) {
      if (formsOf(checking, candidate).length > 0) return { name: candidate, target: undefined };
    }
  }
  return { name: call.function, target: call.target };
}

function pathOf(node: Expr): string | undefined {
  if (node.exprKind.case === "identExpr") return node.exprKind.value.name;
  if (node.exprKind.case !== "selectExpr" || node.exprKind.value.testOnly || node.exprKind.value.operand === undefined)
    return undefined;
  const outer = pathOf(node.exprKind.value.operand);
  return outer === undefined ? undefined : `${outer}.${node.exprKind.value.field}`;
}

function formsOf(checking: Checking, name: string): readonly Signature[] {
  return checking.declarations.flatMap((declarations) => declarations.get(name) ?? []);
}

function inferArguments(checking: Checking, name: string, given: readonly Expr[], place: Place): readonly Typed[] {
  const [first, second] = given;
  if (given.length !== 2 || first === undefined || second === undefined)
    return given.map((arg) => checking.infer(checking, arg, place, undefined));
  if (name === "@in") return inferMembership(checking, first, second, place);
  if (/^_[-+*/%<>=!]+_$/.test(name)) return inferPair(checking, [first, place], [second, place]);
  return given.map((arg) => checking.infer(checking, arg, place, undefined));
}

function inferMembership(checking: Checking, item: Expr, container: Expr, place: Place): readonly Typed[] {
  if (container.exprKind.case === "listExpr") {
    const typed = checking.infer(checking, item, place, undefined);
    const beside = literalWant(checking, typed.type);
    const want = beside === undefined ? undefined : { type: listOf(beside.type) };
    return [typed, checking.infer(checking, container, place, want)];
  }
  const within = checking.infer(checking, container, place, undefined);
  const type = prune(checking.substitution, within.type);
  const element = type.kind === "list" ? type.element : type.kind === "map" ? type.key : dynType;
  return [checking.infer(checking, item, place, literalWant(checking, element)), within];
}

/** The result of the forms that fit; `dyn` when they disagree, undefined when none fits. */
function resolveForms(checking: Checking, forms: readonly Signature[], given: readonly Typed[]): CelType | undefined {
  const { substitution } = checking;
  const before = substitution.bindings;
  let learned: ReadonlyMap<number, CelType> | undefined;
  let result: CelType | undefined;
  for (const form of forms) {
    if (form.parameters.length !== given.length) continue;
    substitution.bindings = before;
    const parameters = new Map<number, CelType>();
    const wanted = form.parameters.map((parameter) => instantiate(substitution, parameter, parameters));
    if (!wanted.every((type, at) => fits(substitution, given[at]?.type ?? dynType, type))) continue;
    const yielded = settle(substitution, instantiate(substitution, form.result, parameters));
    learned ??= substitution.bindings;
    if (result === undefined) result = yielded;
    else if (showType(resolve(substitution, result)) !== showType(resolve(substitution, yielded))) result = dynType;
  }
  substitution.bindings = learned ?? before;
  return result;
}

const macros: ReadonlyMap<string, string> = new Map([
  ["map", "list.map(x, value), or list.map(x, test, value)"],
  ["filter", "list.filter(x, test)"],
  ["all", "list.all(x, test), or list.all(i, x, test)"],
  ["exists", "list.exists(x, test), or list.exists(i, x, test)"],
  ["exists_one", "list.exists_one(x, test), or list.exists_one(i, x, test)"],
  ["existsOne", "list.existsOne(x, test), or list.existsOne(i, x, test)"],
  ["transformList", "list.transformList(i, x, value), or list.transformList(i, x, test, value)"],
  ["transformMap", "map.transformMap(k, v, value), or map.transformMap(k, v, test, value)"],
  ["transformMapEntry", "map.transformMapEntry(k, v, {key: value}), or with a test before the entry"],
  ["bind", "cel.bind(x, value, expression)"],
  ["optMap", "optional.optMap(x, value)"],
  ["optFlatMap", "optional.optFlatMap(x, optional)"],
]);

function unknownFunction(checking: Checking, node: Expr, name: string, call: Expr_Call, place: Place): Typed {
  const { target } = call;
  const root = target?.exprKind.case === "identExpr" ? target.exprKind.value.name : undefined;
  const isNamespace = root !== undefined && target !== undefined && lookUp(checking, target, root, place) === undefined;
  if (target !== undefined && !isNamespace) checking.infer(checking, target, place, undefined);
  const macro = macros.get(name);
  if (macro !== undefined) {
    const message = `${name}() is not written like this`;
    return { type: report(checking, node, "CEL_TYPE", message, `the form is ${macro}`), node };
  }
  for (const arg of call.args) checking.infer(checking, arg, place, undefined);
  const names = checking.declarations
    .flatMap((declarations) => [...declarations.keys()])
    .filter((known) => /^[a-z]/.test(known));
  const near = closest(name, [...names, ...macros.keys()]);
  const hint = knownElsewhere.get(name) ?? (near === undefined ? undefined : `did you mean '${near}'?`);
  const shown = isNamespace ? `${root}.${name}` : name;
  const noun = target === undefined || isNamespace ? "function" : "method";
  return { type: report(checking, node, "CEL_UNKNOWN_NAME", `no ${noun} '${shown}'`, hint), node };
}

function noSuchForm(checking: Checking, node: Expr, name: string, isMember: boolean, typed: readonly Typed[]): Typed {
  const types = typed.map((part) => resolve(checking.substitution, part.type));
  if (types.some((type) => type.kind === "error")) return { type: errorType, node };
  const shown = types.map(showType);
  const operator = /^_?([^A-Za-z_]+)_$/.exec(name)?.[1] ?? (name === "@in" ? "in" : undefined);
  if (name === "_[_]") {
    const message = `${shown[0]} can't be indexed by ${shown[1]}`;
    return {
      type: report(checking, node, "CEL_TYPE", message, indexHint(types[0])),
      node,
    };
  }
  const message =
    operator !== undefined
      ? `no operator '${operator}' for ${shown.join(" and ")}`
      : isMember
        ? `no method '${name}(${shown.slice(1).join(", ")})' of ${shown[0]}`
        : `no function '${name}(${shown.join(", ")})'`;
  const hint =
    operator !== undefined
      ? operatorHint(name, types)
      : isMember && ofOptional.has(name)
        ? "optional values are a.?b, a[?b] and optional.of(x)"
        : formHint(checking, name, isMember);
  return { type: report(checking, node, "CEL_TYPE", message, hint), node };
}

const ofOptional: ReadonlySet<string> = new Set(["hasValue", "value", "or", "orValue"]);

function indexHint(container: CelType | undefined): string | undefined {
  if (container?.kind === "message") return "a field is read by its name: x.field";
  return container?.kind === "list" ? "an element is read by its position: x[0]" : undefined;
}

function formHint(checking: Checking, name: string, isMember: boolean): string | undefined {
  const forms = formsOf(checking, name).filter((form) => form.isMember === isMember);
  const shown = forms.map((form) => {
    const types = form.parameters.map((type) => (type.kind === "unknown" ? "any" : showType(type)));
    return isMember ? `${types[0]}.${name}(${types.slice(1).join(", ")})` : `${name}(${types.join(", ")})`;
  });
  return suggest("", shown, "forms");
}

const numberKinds: ReadonlySet<string> = new Set(["int", "uint", "double"]);

function operatorHint(name: string, types: readonly CelType[]): string | undefined {
  const [left, right] = types;
  if (name === "!_") return "! takes a bool; not in is !(a in b)";
  if (left === undefined || right === undefined) return undefined;
  if (left.kind === "bool" && /^_[<>]=?_$/.test(name)) return "comparisons in a row are joined: a < b && b < c";
  if (numberKinds.has(left.kind) && numberKinds.has(right.kind))
    return `both sides need one kind of number: ${right.kind}(…) or ${left.kind}(…)`;
  if (name === "_+_" && (left.kind === "string" || right.kind === "string"))
    return "convert the other side with string(…)";
  const shifts = left.kind === "timestamp" && (name === "_+_" || name === "_-_");
  if ((left.kind === "duration" || shifts) && right.kind === "string") return 'write duration("5m")';
  if (left.kind === "timestamp" && right.kind === "string") return 'write timestamp("2026-01-31T12:00:00Z")';
  return conversionHint(right, left);
}
