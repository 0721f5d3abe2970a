import type { Expr, Expr_CreateStruct_Entry } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import type { Issue } from "./issue.ts";
import { numberValue, textValue } from "./literal.ts";
import { expandMacro } from "./macro.ts";
import type { Dialect } from "./macro.ts";
import { reservedWords } from "./reserved.ts";
import {
  missingColon,
  missingField,
  missingOperand,
  misplaced,
  nestedCondition,
  reservedName,
  tooDeep,
} from "./slip.ts";
import type { Frame } from "./slip.ts";
import { issueAt } from "./token.ts";
import type { Token } from "./token.ts";
import { balanced, bool, call, constant, entry, ident, list, select, signed, spanOfTokens, struct } from "./tree.ts";
import type { Tree } from "./tree.ts";
import { enter, fail, goesOn, isEmpty, isOptionalEntry, isSign, newWalk, peek, scene, take, top } from "./walk.ts";
import type { Walk } from "./walk.ts";

/** A parsed expression: its tree, or the first place where its words can't go on. */
export type ParseResult =
  | { readonly kind: "tree"; readonly root: Expr; readonly tree: Tree }
  | { readonly kind: "wrong"; readonly issue: Issue };

/**
 * Parses the words of an expression into the tree of the CEL specification (cel.expr.Expr), macros expanded, in one pass from left to right.
 * Every step down is counted: nothing deeper than `depthMax` is walked into.
 */
export function parseTokens(tokens: readonly Token[], depthMax: number, dialect: Dialect): ParseResult {
  const walk = newWalk(tokens, depthMax, dialect);
  const root = expression(walk);
  if (root !== undefined && peek(walk).kind !== "end") fail(walk, misplaced(scene(walk)));
  if (walk.issue !== undefined) return { kind: "wrong", issue: walk.issue };
  if (root === undefined) return { kind: "wrong", issue: missingOperand(scene(walk)) };
  return { kind: "tree", root, tree: walk.tree };
}

/** `a`, or `a ? b : c`; conditions in a row are folded from the right. */
function expression(walk: Walk): Expr | undefined {
  const arms: { readonly question: Token; readonly condition: Expr; readonly yes: Expr }[] = [];
  let last = binary(walk, 1);
  while (last !== undefined && isSign(peek(walk), "?")) {
    const question = take(walk);
    const behind = peek(walk);
    const yes = binary(walk, 1);
    if (yes === undefined) return undefined;
    if (isSign(peek(walk), "?")) return fail(walk, nestedCondition(peek(walk)));
    if (!isSign(peek(walk), ":")) return fail(walk, withoutColon(walk, question, behind));
    take(walk);
    arms.push({ question, condition: last, yes });
    last = binary(walk, 1);
  }
  for (const { question, condition, yes } of arms.toReversed()) {
    if (last === undefined) return undefined;
    last = call(walk.tree, spanOfTokens(question), "_?_:_", [condition, yes, last]);
  }
  return last;
}

function withoutColon(walk: Walk, question: Token, behind: Token): Issue {
  const token = peek(walk);
  const isEnded = token.kind === "end" || [",", ")", "]", "}"].includes(token.text);
  const issue = missingColon(question, behind);
  return isEnded || issue.length > 1 ? issue : misplaced(scene(walk));
}

const levels: ReadonlyMap<string, number> = new Map([
  ["||", 1],
  ["&&", 2],
  ["<", 3],
  ["<=", 3],
  [">", 3],
  [">=", 3],
  ["==", 3],
  ["!=", 3],
  ["in", 3],
  ["+", 4],
  ["-", 4],
  ["*", 5],
  ["/", 5],
  ["%", 5],
]);

/** Values joined by operators of this level and those that bind more. */
function binary(walk: Walk, level: number): Expr | undefined {
  let left = unary(walk);
  while (left !== undefined) {
    const operator = peek(walk);
    const found = operator.kind === "symbol" || operator.kind === "identifier" ? levels.get(operator.text) : undefined;
    if (found === undefined || found < level) return left;
    left = found <= 2 ? logical(walk, found, operator.text, left) : joined(walk, found, operator, left);
  }
  return undefined;
}

function joined(walk: Walk, level: number, operator: Token, left: Expr): Expr | undefined {
  take(walk);
  const right = binary(walk, level + 1);
  if (right === undefined) return undefined;
  const name = operator.text === "in" ? "@in" : `_${operator.text}_`;
  return call(walk.tree, spanOfTokens(operator), name, [left, right]);
}

/** A row of && or ||. */
function logical(walk: Walk, level: number, operator: string, first: Expr): Expr | undefined {
  const terms = [first];
  const operators: Token[] = [];
  while (isSign(peek(walk), operator)) {
    operators.push(take(walk));
    const term = binary(walk, level + 1);
    if (term === undefined) return undefined;
    terms.push(term);
  }
  return balanced(walk.tree, `_${operator}_`, terms, operators);
}

/** Signs before a value: each pair of equal ones is none, a minus right before a number belongs to it. */
function unary(walk: Walk): Expr | undefined {
  const signs: Token[] = [];
  while (isSign(peek(walk), "!") || isSign(peek(walk), "-")) {
    signs.push(take(walk));
    if (signs.length > walk.depthMax) return fail(walk, tooDeep(walk.depthMax, peek(walk, -1)));
  }
  const last = signs.at(-1);
  const isLone = last?.text === "-" && signs.at(-2)?.text !== "-";
  const number = peek(walk);
  const belongs = isLone && number.kind === "number" && number.start === last.end && !/[uU]$/.test(number.text);
  if (belongs) signs.pop();
  const operand = member(walk, belongs ? last : undefined);
  return operand === undefined ? undefined : signed(walk.tree, signs, operand);
}

/** The words of a name with dots: a message literal may follow it. */
interface Path {
  readonly first: Token;
  readonly name: string;
}

/** A value with all that is selected, indexed and called on it. */
function member(walk: Walk, sign: Token | undefined): Expr | undefined {
  let path: Path | undefined = pathAt(walk);
  let left = primary(walk, sign);
  if (left?.exprKind.case !== "identExpr") path = undefined;
  while (left !== undefined) {
    const token = peek(walk);
    if (isSign(token, ".")) {
      const selected = selection(walk, left, path);
      left = selected?.node;
      path = selected?.path;
    } else if (isSign(token, "[")) {
      left = index(walk, left);
      path = undefined;
    } else if (isSign(token, "{") && path !== undefined) {
      left = message(walk, path);
      path = undefined;
    } else break;
  }
  return left;
}

function pathAt(walk: Walk): Path | undefined {
  const first = peek(walk);
  const dotted = isSign(first, ".");
  const name = dotted ? peek(walk, 1) : first;
  return name.kind === "identifier" ? { first, name: dotted ? `.${name.text}` : name.text } : undefined;
}

function selection(
  walk: Walk,
  operand: Expr,
  path: Path | undefined,
): { readonly node: Expr; readonly path: Path | undefined } | undefined {
  take(walk);
  const isOptional = isSign(peek(walk), "?") && walk.dialect.optionalSyntax;
  if (isOptional) take(walk);
  const token = peek(walk);
  const field = fieldName(walk, token);
  if (field === undefined) return fail(walk, missingField(scene(walk)));
  take(walk);
  const span = spanOfTokens(token);
  if (isOptional) {
    const name = constant(walk.tree, span, { case: "stringValue", value: field });
    return { node: call(walk.tree, span, "_?._", [operand, name]), path: undefined };
  }
  if (isSign(peek(walk), "(") && token.kind === "identifier") {
    const node = called(walk, token, operand);
    return node === undefined ? undefined : { node, path: undefined };
  }
  const longer = path === undefined || token.kind === "quoted" ? undefined : { ...path, name: `${path.name}.${field}` };
  return { node: select(walk.tree, span, operand, field), path: longer };
}

function fieldName({ dialect }: Walk, { kind, text }: Token): string | undefined {
  if (kind === "quoted" && dialect.quotedFields) return text.slice(1, -1);
  return kind === "identifier" && !unselectable.has(text) ? text : undefined;
}

/** Words that the grammar wants for itself even behind a dot. */
const unselectable: ReadonlySet<string> = new Set(["in", "true", "false", "null"]);

/** A call of the function or method whose name has been read. */
function called(walk: Walk, name: Token, target?: Expr): Expr | undefined {
  const args: Expr[] = [];
  const inside = enter(walk, "call");
  if (inside === undefined) return undefined;
  if (isSign(peek(walk), ")")) take(walk);
  else {
    do {
      const arg = expression(walk);
      if (arg === undefined) return undefined;
      args.push(arg);
    } while (goesOn(walk, inside));
  }
  if (walk.issue !== undefined) return undefined;
  walk.frames.pop();
  const span = spanOfTokens(name);
  const macro = expandMacro({ tree: walk.tree, span, name: name.text, target, args }, walk.dialect);
  return macro ?? call(walk.tree, span, name.text, args, target);
}

function index(walk: Walk, operand: Expr): Expr | undefined {
  const open = peek(walk);
  const inside = enter(walk, "index");
  if (inside === undefined) return undefined;
  const name = isOptionalEntry(walk) ? "_[?_]" : "_[_]";
  const key = expression(walk);
  if (key === undefined || goesOn(walk, inside) || walk.issue !== undefined) return undefined;
  walk.frames.pop();
  return call(walk.tree, spanOfTokens(open), name, [operand, key]);
}

function primary(walk: Walk, sign: Token | undefined): Expr | undefined {
  const token = peek(walk);
  top(walk).fresh = token.kind === "end" && top(walk).fresh;
  switch (token.kind) {
    case "number":
    case "text":
      return literal(walk, take(walk), sign);
    case "identifier":
      return word(walk, token, false);
    case "quoted":
      return fail(walk, issueAt("a name in backticks is a field's", "a.`b-c`; texts stand between \" or '", token));
    case "end":
      return fail(walk, missingOperand(scene(walk)));
    case "symbol":
      return bracketed(walk, token);
  }
}

function bracketed(walk: Walk, token: Token): Expr | undefined {
  switch (token.text) {
    case "(":
      return group(walk);
    case "[":
      return listLiteral(walk);
    case "{":
      return mapLiteral(walk);
    case ".":
      if (peek(walk, 1).kind === "identifier") {
        take(walk);
        return word(walk, peek(walk), true);
      }
      take(walk);
      return fail(walk, missingOperand(scene(walk)));
    default:
      return fail(walk, missingOperand(scene(walk)));
  }
}

function literal(walk: Walk, token: Token, sign: Token | undefined): Expr | undefined {
  const value = token.kind === "text" ? textValue(token) : numberValue(token, sign);
  if ("code" in value) return fail(walk, value);
  return constant(walk.tree, spanOfTokens(sign ?? token, token), value);
}

function word(walk: Walk, token: Token, isAbsolute: boolean): Expr | undefined {
  const span = spanOfTokens(token);
  const { text } = token;
  if (!isAbsolute && (text === "true" || text === "false")) {
    take(walk);
    return bool(walk.tree, span, text === "true");
  }
  if (!isAbsolute && text === "null") {
    take(walk);
    return constant(walk.tree, span, { case: "nullValue", value: 0 });
  }
  if (reservedWords.has(text)) return fail(walk, reservedName(scene(walk)));
  take(walk);
  if (isSign(peek(walk), "(")) return called(walk, token);
  const node = ident(walk.tree, span, text);
  if (isAbsolute) walk.tree.absolute.add(node.id);
  return node;
}

function group(walk: Walk): Expr | undefined {
  const inside = enter(walk, "group");
  if (inside === undefined) return undefined;
  const value = expression(walk);
  if (value === undefined || goesOn(walk, inside) || walk.issue !== undefined) return undefined;
  walk.frames.pop();
  return value;
}

function listLiteral(walk: Walk): Expr | undefined {
  const open = peek(walk);
  const elements: Expr[] = [];
  const optionalIndices: number[] = [];
  const inside = enter(walk, "list");
  if (inside === undefined) return undefined;
  if (!isEmpty(walk, inside)) {
    do {
      if (isOptionalEntry(walk)) optionalIndices.push(elements.length);
      const element = expression(walk);
      if (element === undefined) return undefined;
      elements.push(element);
    } while (goesOn(walk, inside));
  }
  if (walk.issue !== undefined) return undefined;
  walk.frames.pop();
  return list(walk.tree, spanOfTokens(open), elements, optionalIndices);
}

function mapLiteral(walk: Walk): Expr | undefined {
  const open = peek(walk);
  const entries: Expr_CreateStruct_Entry[] = [];
  const inside = enter(walk, "map");
  if (inside === undefined) return undefined;
  if (!isEmpty(walk, inside)) {
    do {
      const isOptional = isOptionalEntry(walk);
      const from = peek(walk);
      const key = expression(walk);
      const value = key === undefined ? undefined : valueBehindColon(walk, inside);
      if (key === undefined || value === undefined) return undefined;
      const span = walk.tree.spans.get(key.id) ?? spanOfTokens(from);
      entries.push(entry(walk.tree, span, { case: "mapKey", value: key }, value, isOptional));
    } while (goesOn(walk, inside));
  }
  if (walk.issue !== undefined) return undefined;
  walk.frames.pop();
  return struct(walk.tree, spanOfTokens(open), entries);
}

function valueBehindColon(walk: Walk, inside: Frame): Expr | undefined {
  if (!isSign(peek(walk), ":")) return fail(walk, misplaced(scene(walk)));
  take(walk);
  inside.atKey = false;
  return expression(walk);
}

function message(walk: Walk, path: Path): Expr | undefined {
  const entries: Expr_CreateStruct_Entry[] = [];
  const last = peek(walk, -1);
  const inside = enter(walk, "message");
  if (inside === undefined) return undefined;
  if (!isEmpty(walk, inside)) {
    do {
      const field = fieldEntry(walk, inside);
      if (field === undefined) return undefined;
      entries.push(field);
    } while (goesOn(walk, inside));
  }
  if (walk.issue !== undefined) return undefined;
  walk.frames.pop();
  return struct(walk.tree, spanOfTokens(path.first, last), entries, path.name);
}

function fieldEntry(walk: Walk, inside: Frame): Expr_CreateStruct_Entry | undefined {
  const isOptional = isOptionalEntry(walk);
  const token = peek(walk);
  if (token.kind === "text")
    return fail(walk, issueAt("a field name is expected", "without quotes: Message{field: value}", token));
  const field = fieldName(walk, token);
  if (field === undefined)
    return fail(walk, token.kind === "identifier" ? missingField(scene(walk)) : missingOperand(scene(walk)));
  take(walk);
  inside.fresh = false;
  const value = valueBehindColon(walk, inside);
  if (value === undefined) return undefined;
  return entry(walk.tree, spanOfTokens(token), { case: "fieldKey", value: field }, value, isOptional);
}
