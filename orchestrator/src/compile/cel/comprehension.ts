import type { Expr, Expr_Comprehension } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import { report } from "./checking.ts";
import type { Checking, Local, Place, Typed, Want } from "./checking.ts";
import { elementWant, entryWants, inferAs } from "./fit.ts";
import { makeBinding, makeCall, makeList, makeNode } from "./node.ts";
import { boolType, dynType, errorType, intType, listOf, mapOf, showType } from "./type.ts";
import type { CelType } from "./type.ts";
import { fits, freshType, join, learn, prune, resolve, settle } from "./unify.ts";

/**
 * Types a macro (map, filter, all, exists, exists_one) in its expanded form. Every pass of it counts a step at run time, its variables
 * get names that nothing else can have, and the list it gathers grows in place.
 */
export function inferComprehension(
  checking: Checking,
  node: Expr,
  fold: Expr_Comprehension,
  place: Place,
  want: Want | undefined,
): Typed {
  const { iterRange, accuInit, loopCondition, loopStep, result } = fold;
  if (
    iterRange === undefined ||
    accuInit === undefined ||
    loopCondition === undefined ||
    loopStep === undefined ||
    result === undefined
  ) {
    return { type: errorType, node };
  }
  if (fold.iterVar === "#unused") return inferBinding(checking, node, fold.accuVar, accuInit, result, place, want);
  const depth = place.comprehensions + 1;
  if (depth > checking.comprehensionDepthMax) {
    report(
      checking,
      node,
      "CEL_LIMIT",
      `comprehensions stand ${depth} deep in each other, ${checking.comprehensionDepthMax} are allowed`,
      "split it with let steps",
    );
    return { type: errorType, node };
  }
  const range = checking.infer(checking, iterRange, place, undefined);
  const item = itemType(checking, iterRange, range.type);
  const gathers =
    isName(result, fold.accuVar) && (accuInit.exprKind.case === "listExpr" || accuInit.exprKind.case === "structExpr");
  const gathered = gathers ? gatheredWant(checking, accuInit, want) : undefined;
  const start = checking.infer(checking, accuInit, place, gathered);
  const number = nextLocal(checking);
  const accumulated: Local = { name: fold.accuVar, type: start.type, rewritten: `@a${number}`, outer: place.locals };
  const rewritten = `@i${number}`;
  const variable: Local =
    fold.iterVar2 === ""
      ? { name: fold.iterVar, type: item, rewritten, outer: accumulated }
      : entryLocals(checking, fold, range.type, rewritten, accumulated);
  const inside: Place = { ...place, locals: variable, comprehensions: depth };
  const condition = checking.infer(checking, loopCondition, inside, undefined);
  const step = gathers
    ? inferGathering(checking, loopStep, fold.accuVar, inside, gathered)
    : inferTest(checking, loopStep, fold.accuVar, inside);
  const type = gathers ? settle(checking.substitution, step.type) : start.type;
  if (!gathers && !fits(checking.substitution, step.type, start.type))
    mismatch(checking, loopStep, step.type, start.type);
  const yielded = checking.infer(checking, result, { ...place, locals: accumulated, comprehensions: depth }, undefined);
  const value: Expr_Comprehension = {
    $typeName: "cel.expr.Expr.Comprehension",
    iterVar: rewritten,
    iterVar2: "",
    iterRange: fold.iterVar2 === "" ? range.node : makeCall(checking, iterRange, "@entries", [range.node]),
    accuVar: accumulated.rewritten,
    accuInit: start.node,
    loopCondition: counted(checking, node, condition.node),
    loopStep: step.node,
    result: yielded.node,
  };
  return { type: gathers ? type : yielded.type, node: makeNode(checking, node, { case: "comprehensionExpr", value }) };
}

/** What is wanted of what a macro gathers: a list of a list, a map of a map. */
function gatheredWant(checking: Checking, accuInit: Expr, want: Want | undefined): Want | undefined {
  if (want === undefined || accuInit.exprKind.case === "listExpr") return want;
  return prune(checking.substitution, want.type).kind === "map" ? want : undefined;
}

/** cel.bind: the value by its name in the body, of which the same is wanted as of the whole. */
function inferBinding(
  checking: Checking,
  node: Expr,
  name: string,
  value: Expr,
  body: Expr,
  place: Place,
  want: Want | undefined,
): Typed {
  const bound = checking.infer(checking, value, place, undefined);
  const rewritten = `@a${nextLocal(checking)}`;
  const local: Local = { name, type: settle(checking.substitution, bound.type), rewritten, outer: place.locals };
  const inside: Place = { ...place, locals: local };
  const yielded =
    want === undefined ? checking.infer(checking, body, inside, undefined) : inferAs(checking, body, inside, want);
  return { type: yielded.type, node: makeBinding(checking, node, rewritten, bound.node, yielded.node) };
}

function nextLocal(checking: Checking): number {
  const number = checking.found.locals;
  checking.found.locals += 1;
  return number;
}

/** The two variables of a pass: position and element of a list, key and value of a map. */
function entryLocals(
  checking: Checking,
  fold: Expr_Comprehension,
  range: CelType,
  rewritten: string,
  outer: Local,
): Local {
  const known = prune(checking.substitution, range);
  const key = known.kind === "list" ? intType : known.kind === "map" ? known.key : dynType;
  const value = known.kind === "list" ? known.element : known.kind === "map" ? known.value : dynType;
  const first: Local = { name: fold.iterVar, type: key, rewritten, part: "@entryKey", outer };
  return { name: fold.iterVar2, type: value, rewritten, part: "@entryValue", outer: first };
}

/** The condition of a pass, counting the pass first. */
function counted(checking: Checking, node: Expr, condition: Expr): Expr {
  const tick = makeCall(checking, node, "@tick", []);
  const { exprKind } = condition;
  const always =
    exprKind.case === "constExpr" &&
    exprKind.value.constantKind.case === "boolValue" &&
    exprKind.value.constantKind.value;
  return always ? tick : makeCall(checking, node, "_&&_", [tick, condition]);
}

/** The step of all, exists and exists_one: the test, joined to what has come out so far. */
function inferTest(checking: Checking, step: Expr, accuVar: string, place: Place): Typed {
  const call = step.exprKind.case === "callExpr" ? step.exprKind.value : undefined;
  const [first, second, third] = call?.args ?? [];
  const want: Want = { type: boolType, what: "the test" };
  if (call?.function === "_?_:_" && first !== undefined && second !== undefined && third !== undefined) {
    const test = inferAs(checking, first, place, want);
    const arms = [second, third].map((arm) => checking.infer(checking, arm, place, undefined));
    const [more, kept] = arms;
    if (more === undefined || kept === undefined) return test;
    return { type: more.type, node: makeCall(checking, step, call.function, [test.node, more.node, kept.node]) };
  }
  if (call === undefined || first === undefined || second === undefined || !isName(first, accuVar)) {
    return checking.infer(checking, step, place, undefined);
  }
  const before = checking.infer(checking, first, place, undefined);
  const test = inferAs(checking, second, place, want);
  return { type: boolType, node: makeCall(checking, step, call.function, [before.node, test.node]) };
}

/** The step of map and filter: `test ? gathered + [value] : gathered`, or without the test. */
function inferGathering(checking: Checking, step: Expr, accuVar: string, place: Place, want: Want | undefined): Typed {
  const call = step.exprKind.case === "callExpr" ? step.exprKind.value : undefined;
  const [first, second, third] = call?.args ?? [];
  if (call?.function === "_?_:_" && first !== undefined && second !== undefined && third !== undefined) {
    const test = inferAs(checking, first, place, { type: boolType, what: "the test" });
    const grown = inferGathering(checking, second, accuVar, place, want);
    const kept = checking.infer(checking, third, place, undefined);
    return { type: grown.type, node: makeCall(checking, step, call.function, [test.node, grown.node, kept.node]) };
  }
  if (call?.function === "cel.@mapInsert" && first !== undefined && second !== undefined)
    return inferInsertion(checking, step, first, second, third, place, want);
  const added = second?.exprKind.case === "listExpr" ? second.exprKind.value.elements[0] : undefined;
  if (call?.function !== "_+_" || first === undefined || added === undefined || !isName(first, accuVar)) {
    return checking.infer(checking, step, place, want);
  }
  const wanted = elementWant(checking, want);
  const known = wanted !== undefined && prune(checking.substitution, wanted.type).kind !== "unknown";
  const value = known ? inferAs(checking, added, place, wanted) : checking.infer(checking, added, place, undefined);
  const gathered = checking.infer(checking, first, place, undefined);
  const type = known ? listOf(wanted.type) : gatheredType(checking, gathered.type, value.type);
  return { type, node: makeCall(checking, step, "@append", [gathered.node, makeList(checking, added, [value.node])]) };
}

/** The step of transformMap, which adds a key and its value, and of transformMapEntry, which adds the entries of a map. */
function inferInsertion(
  checking: Checking,
  step: Expr,
  gathered: Expr,
  added: Expr,
  value: Expr | undefined,
  place: Place,
  want: Want | undefined,
): Typed {
  const wants = entryWants(checking, want);
  const before = checking.infer(checking, gathered, place, undefined);
  if (value === undefined) {
    const wanted =
      want !== undefined && wants !== undefined
        ? want
        : { type: mapOf(freshType(checking.substitution), freshType(checking.substitution)) };
    const entries = inferAs(checking, added, place, wanted);
    return { type: entries.type, node: makeCall(checking, step, "@putAll", [before.node, entries.node]) };
  }
  const key =
    wants === undefined
      ? checking.infer(checking, added, place, undefined)
      : inferAs(checking, added, place, wants.key);
  const put =
    wants === undefined
      ? checking.infer(checking, value, place, undefined)
      : inferAs(checking, value, place, wants.value);
  return { type: mapOf(key.type, put.type), node: makeCall(checking, step, "@put", [before.node, key.node, put.node]) };
}

function gatheredType(checking: Checking, gathered: CelType, value: CelType): CelType {
  const before = prune(checking.substitution, gathered);
  if (before.kind !== "list") return listOf(value);
  if (!fits(checking.substitution, listOf(value), before)) return dynType;
  return listOf(join(checking.substitution, before.element, value));
}

function isName(node: Expr, name: string): boolean {
  return node.exprKind.case === "identExpr" && node.exprKind.value.name === name;
}

function itemType(checking: Checking, node: Expr, range: CelType): CelType {
  const known = prune(checking.substitution, range);
  switch (known.kind) {
    case "list":
      return known.element;
    case "map":
      return known.key;
    case "dyn":
    case "any":
    case "error":
      return dynType;
    case "unknown":
      learn(checking.substitution, known.number, dynType);
      return dynType;
    case "null":
    case "bool":
    case "int":
    case "uint":
    case "double":
    case "string":
    case "bytes":
    case "timestamp":
    case "duration":
    case "message":
    case "wrapper":
    case "type":
    case "opaque":
      return report(
        checking,
        node,
        "CEL_TYPE",
        `${showType(resolve(checking.substitution, known))} has no elements`,
        "a list or a map is needed",
      );
  }
}

function mismatch(checking: Checking, node: Expr, given: CelType, wanted: CelType): void {
  const [shown, expected] = [given, wanted].map((type) => showType(resolve(checking.substitution, type)));
  report(checking, node, "CEL_TYPE", `expected ${expected ?? ""}, the expression is ${shown ?? ""}`);
}
