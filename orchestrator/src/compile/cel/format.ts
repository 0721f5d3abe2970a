import type { Expr, Expr_Call } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import { report } from "./checking.ts";
import type { Checking, Place, Typed } from "./checking.ts";
import { makeCall, makeList } from "./node.ts";
import { showType, stringType } from "./type.ts";
import type { CelType } from "./type.ts";
import { prune, resolve } from "./unify.ts";

/**
 * Types `"…".format([…])` where both are written down: each clause is compared with the value that it is for, which nothing but the text
 * tells. Undefined where one of them is not known before it runs.
 */
export function inferFormat(checking: Checking, node: Expr, call: Expr_Call, place: Place): Typed | undefined {
  const { target, args } = call;
  const text = target?.exprKind.case === "constExpr" ? target.exprKind.value.constantKind : undefined;
  const values = args[0]?.exprKind.case === "listExpr" ? args[0].exprKind.value : undefined;
  if (call.function !== "format" || args.length !== 1 || args[0] === undefined || target === undefined)
    return undefined;
  if (text?.case !== "stringValue" || values === undefined || values.optionalIndices.length > 0) return undefined;
  const typed = values.elements.map((element) => checking.infer(checking, element, place, undefined));
  checkClauses(checking, target, text.value, values.elements, typed);
  const list = makeList(
    checking,
    args[0],
    typed.map((part) => part.node),
  );
  const written = checking.infer(checking, target, place, undefined).node;
  return { type: stringType, node: makeCall(checking, node, "format", [list], written) };
}

const clause = /%(?:(%)|(?:\.(\d*))?([\s\S]?))/g;
const precisionMax = 100;

function checkClauses(
  checking: Checking,
  target: Expr,
  text: string,
  elements: readonly Expr[],
  typed: readonly Typed[],
): void {
  let count = 0;
  for (const [, percent, precision = "", letter = ""] of text.matchAll(clause)) {
    if (percent !== undefined) continue;
    const takes = clauses.get(letter);
    if (takes === undefined) {
      const hint = "clauses are %s, %d, %f, %e, %x, %X, %o, %b; a percent sign is %%";
      report(checking, target, "CEL_CONSTANT", `'%${letter}' is no clause of a format`, hint);
      return;
    }
    if (Number(precision) > precisionMax)
      report(checking, target, "CEL_CONSTANT", `a precision of ${precision} is too much`, `at most ${precisionMax}`);
    const [value, element] = [typed[count], elements[count]];
    count += 1;
    if (value === undefined || element === undefined) continue;
    const type = resolve(checking.substitution, prune(checking.substitution, value.type));
    const kinds = checking.strict ? takes.here : takes.elsewhere;
    if (!isTaken(type, kinds)) {
      const hint = letter === "s" ? "name its fields one by one" : hintFor(type, kinds);
      report(
        checking,
        element,
        "CEL_TYPE",
        `%${letter} takes ${kinds.join(", ")}, the value is ${showType(type)}`,
        hint,
      );
    }
  }
  if (count !== elements.length) {
    const hint = count > elements.length ? "a percent sign is %%" : undefined;
    report(checking, target, "CEL_TYPE", `the format has ${count} clauses for ${elements.length} values`, hint);
  }
}

interface Clause {
  /** Kinds of types that our evaluator formats. */
  readonly here: readonly CelType["kind"][];
  /** Those that cel-go formats. */
  readonly elsewhere: readonly CelType["kind"][];
}

const shown: readonly CelType["kind"][] = [
  "string",
  "bool",
  "bytes",
  "int",
  "uint",
  "double",
  "list",
  "map",
  "type",
  "duration",
  "timestamp",
  "null",
];
const fraction: Clause = { here: ["double"], elsewhere: ["int", "uint", "double"] };
const hex: Clause = { here: ["int", "uint", "bytes", "string"], elsewhere: ["int", "uint", "bytes", "string"] };

const clauses: ReadonlyMap<string, Clause> = new Map([
  ["s", { here: shown, elsewhere: shown }],
  ["d", { here: ["int", "uint"], elsewhere: ["int", "uint", "double"] }],
  ["f", fraction],
  ["e", fraction],
  ["x", hex],
  ["X", hex],
  ["o", { here: ["int", "uint"], elsewhere: ["int", "uint"] }],
  ["b", { here: ["int", "uint", "bool"], elsewhere: ["int", "uint", "bool"] }],
]);

function isTaken(type: CelType, kinds: readonly CelType["kind"][]): boolean {
  if (type.kind === "dyn" || type.kind === "any" || type.kind === "error") return true;
  // An unset wrapper is null, which only %s shows.
  if (type.kind === "wrapper") return isTaken(type.element, kinds);
  if (!kinds.includes(type.kind)) return false;
  if (type.kind === "list") return isTaken(type.element, shown);
  return type.kind !== "map" || (isTaken(type.key, shown) && isTaken(type.value, shown));
}

function hintFor(type: CelType, kinds: readonly CelType["kind"][]): string | undefined {
  if (type.kind === "int" && kinds.includes("double")) return "convert it with double(…)";
  return "%s shows any value but a message";
}
