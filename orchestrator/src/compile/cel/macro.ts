import type { Expr } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import { bool, call, constant, fold, ident, list, select, struct } from "./tree.ts";
import type { Span, Tree } from "./tree.ts";

/** Which parts of the language there are beyond its core; all, unless something is compared with a parser that lacks them. */
export interface Dialect {
  /** `a.?b`, `a[?b]`, `{?a: b}` and `[?a]`. */
  readonly optionalSyntax: boolean;
  /** all, exists, existsOne with two variables, transformList, transformMap, transformMapEntry. */
  readonly twoVariables: boolean;
  /** cel.bind, optMap and optFlatMap. */
  readonly bindings: boolean;
  /** a.`b-c` and Message{`in`: 1}. */
  readonly quotedFields: boolean;
}

/** The whole language. */
export const wholeDialect: Dialect = { optionalSyntax: true, twoVariables: true, bindings: true, quotedFields: true };

/** A call before it is known to be a macro. */
export interface MacroCall {
  readonly tree: Tree;
  /** The macro's name in the source. */
  readonly span: Span;
  readonly name: string;
  readonly target: Expr | undefined;
  readonly args: readonly Expr[];
}

/** The name of what a fold has gathered so far: no identifier is written like that. */
export const accumulator = "@result";

/** What has(a.b), list.map(x, …) and their kin stand for; undefined when the call is no macro. */
export function expandMacro(given: MacroCall, dialect: Dialect): Expr | undefined {
  const { name, target, args } = given;
  const [first, second, third, fourth] = args;
  if (name === "has" && target === undefined) return args.length === 1 ? expandHas(given, first) : undefined;
  if (target === undefined || first === undefined || second === undefined) return undefined;
  const variable = nameOf(first);
  if (variable === undefined) return undefined;
  if (dialect.bindings && name === "bind" && nameOf(target) === "cel")
    return third === undefined || fourth !== undefined ? undefined : expandBind(given, variable, second, third);
  if (!dialect.bindings && (name === "optMap" || name === "optFlatMap")) return undefined;
  if (args.length === 2) return expandOne({ given, target, variable, second: "" }, name, second);
  if (args.length === 3 && name === "map" && third !== undefined)
    return gathering({ given, target, variable, second: "" }, third, second);
  const other = nameOf(second);
  if (!dialect.twoVariables || other === undefined || other === variable || third === undefined) return undefined;
  return expandTwo({ given, target, variable, second: other }, name, third, fourth);
}

/** A macro that walks over a list or map. */
interface Walk {
  readonly given: MacroCall;
  readonly target: Expr;
  readonly variable: string;
  /** Empty: one variable. */
  readonly second: string;
}

function expandOne(walk: Walk, name: string, body: Expr): Expr | undefined {
  const { tree, span } = walk.given;
  switch (name) {
    case "all":
    case "exists":
    case "exists_one":
    case "existsOne":
      return testing(walk, name, body);
    case "map":
      return gathering(walk, body, undefined);
    case "filter":
      return gathering(walk, ident(tree, span, walk.variable), body);
    case "optMap":
    case "optFlatMap":
      return expandOptional(walk, name, body);
    default:
      return undefined;
  }
}

function expandTwo(walk: Walk, name: string, third: Expr, fourth: Expr | undefined): Expr | undefined {
  const { tree, span } = walk.given;
  const [test, value] = fourth === undefined ? [undefined, third] : [third, fourth];
  switch (name) {
    case "all":
    case "exists":
    case "exists_one":
    case "existsOne":
      return fourth === undefined ? testing(walk, name, third) : undefined;
    case "transformList":
      return gathering(walk, value, test);
    case "transformMap":
      return inserting(walk, [ident(tree, span, walk.variable), value], test);
    case "transformMapEntry":
      return inserting(walk, [value], test);
    default:
      return undefined;
  }
}

function nameOf(node: Expr): string | undefined {
  return node.exprKind.case === "identExpr" ? node.exprKind.value.name : undefined;
}

function expandHas({ tree, span }: MacroCall, argument: Expr | undefined): Expr | undefined {
  const tested = argument?.exprKind.case === "selectExpr" ? argument.exprKind.value : undefined;
  if (argument === undefined || tested?.operand === undefined || tested.testOnly) return undefined;
  return select(tree, tree.spans.get(argument.id) ?? span, tested.operand, tested.field, true);
}

/** cel.bind(x, value, body): a fold that gathers nothing and begins with the value. */
function expandBind({ tree, span }: MacroCall, variable: string, value: Expr, body: Expr): Expr {
  return fold(tree, span, {
    iterVar: "#unused",
    iterVar2: "",
    iterRange: list(tree, span, []),
    accuVar: variable,
    accuInit: value,
    loopCondition: bool(tree, span, false),
    loopStep: ident(tree, span, variable),
    result: body,
  });
}

/** The target of optMap, bound so that a chain of them is walked once: no identifier is written like that. */
const tested = "@tested";

function expandOptional({ given, target, variable }: Walk, name: "optMap" | "optFlatMap", body: Expr): Expr {
  const { tree, span } = given;
  const optional = (of: string, args: readonly Expr[]): Expr =>
    call(tree, span, of, args, ident(tree, span, "optional"));
  const method = (of: string): Expr => call(tree, span, of, [], ident(tree, span, tested));
  const bound = expandBind(given, variable, method("value"), body);
  const choice = call(tree, span, "_?_:_", [
    method("hasValue"),
    name === "optMap" ? optional("of", [bound]) : bound,
    optional("none", []),
  ]);
  return expandBind(given, tested, target, choice);
}

function testing(walk: Walk, name: "all" | "exists" | "exists_one" | "existsOne", test: Expr): Expr {
  const { tree, span } = walk.given;
  const sofar = (): Expr => ident(tree, span, accumulator);
  if (name === "all") {
    return over(walk, {
      accuInit: bool(tree, span, true),
      loopCondition: call(tree, span, "@not_strictly_false", [sofar()]),
      loopStep: call(tree, span, "_&&_", [sofar(), test]),
      result: sofar(),
    });
  }
  if (name === "exists") {
    return over(walk, {
      accuInit: bool(tree, span, false),
      loopCondition: call(tree, span, "@not_strictly_false", [call(tree, span, "!_", [sofar()])]),
      loopStep: call(tree, span, "_||_", [sofar(), test]),
      result: sofar(),
    });
  }
  const one = (): Expr => constant(tree, span, { case: "int64Value", value: 1n });
  return over(walk, {
    accuInit: constant(tree, span, { case: "int64Value", value: 0n }),
    loopCondition: bool(tree, span, true),
    loopStep: when(walk, test, call(tree, span, "_+_", [sofar(), one()])),
    result: call(tree, span, "_==_", [sofar(), one()]),
  });
}

function gathering(walk: Walk, value: Expr, test: Expr | undefined): Expr {
  const { tree, span } = walk.given;
  const grown = call(tree, span, "_+_", [ident(tree, span, accumulator), list(tree, span, [value])]);
  return over(walk, {
    accuInit: list(tree, span, []),
    loopCondition: bool(tree, span, true),
    loopStep: when(walk, test, grown),
    result: ident(tree, span, accumulator),
  });
}

function inserting(walk: Walk, added: readonly Expr[], test: Expr | undefined): Expr {
  const { tree, span } = walk.given;
  const grown = call(tree, span, "cel.@mapInsert", [ident(tree, span, accumulator), ...added]);
  return over(walk, {
    accuInit: struct(tree, span, []),
    loopCondition: bool(tree, span, true),
    loopStep: when(walk, test, grown),
    result: ident(tree, span, accumulator),
  });
}

function when({ given: { tree, span } }: Walk, test: Expr | undefined, grown: Expr): Expr {
  return test === undefined ? grown : call(tree, span, "_?_:_", [test, grown, ident(tree, span, accumulator)]);
}

interface Parts {
  readonly accuInit: Expr;
  readonly loopCondition: Expr;
  readonly loopStep: Expr;
  readonly result: Expr;
}

function over({ given, target, variable, second }: Walk, parts: Parts): Expr {
  return fold(given.tree, given.span, {
    iterVar: variable,
    iterVar2: second,
    iterRange: target,
    accuVar: accumulator,
    ...parts,
  });
}
