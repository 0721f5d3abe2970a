import type { Issue } from "./issue.ts";
import { reservedWords } from "./reserved.ts";
import { issueAt } from "./token.ts";
import type { Token } from "./token.ts";

/** A bracket that is open, or the whole expression. */
export interface Frame {
  readonly kind: "whole" | "group" | "list" | "map" | "call" | "index" | "message";
  readonly open: Token | undefined;
  /** Left of the colon of an entry. */
  atKey: boolean;
  /** Nothing stands between the bracket, or the last comma, and here. */
  fresh: boolean;
}

/** What ends a frame. */
export const closing: Readonly<Record<Frame["kind"], string>> = {
  whole: "",
  group: ")",
  call: ")",
  list: "]",
  index: "]",
  map: "}",
  message: "}",
};

/** The words around the place where an expression can't go on. */
export interface Scene {
  readonly earlier: Token | undefined;
  readonly before: Token | undefined;
  readonly token: Token;
  readonly next: Token | undefined;
  readonly inside: Frame;
}

/** A value must stand here. */
export function missingOperand(scene: Scene): Issue {
  const { before, token, inside } = scene;
  if (token.kind === "end" && inside.open !== undefined && inside.fresh) return neverClosed(inside, inside.open);
  const wrong = wrongOperator(scene) ?? wrongPrefix(scene);
  if (wrong !== undefined) return wrong;
  const behind = before === undefined ? "" : ` after '${before.text}'`;
  const at = token.kind === "end" && before !== undefined ? before : token;
  return issueAt(`a value is expected${behind}, found ${describe(token)}`, operandHint(scene), at);
}

/** Operators of other languages, as the words that they fall into: `before` and `token`, side by side. */
const joined: ReadonlyMap<string, string> = new Map([
  ["===", "equal is =="],
  ["!==", "unequal is !="],
  ["&&&", "the operator is &&"],
  ["|||", "the operator is ||"],
  ["+=", "nothing is assigned: an expression is one value"],
  ["-=", "nothing is assigned: an expression is one value"],
  ["*=", "nothing is assigned: an expression is one value"],
  ["/=", "nothing is assigned: an expression is one value"],
  ["**", "there is no power operator"],
  ["++", "there is no ++"],
  ["<>", "unequal is !="],
  ["<<", "there are no bit operators"],
  [">>", "there are no bit operators"],
  ["->", "a field is a.b; a function over a list is list.map(x, …)"],
  ["??", "a value in place of one that is missing: has(a.b) ? a.b : c, or a.?b.orValue(c)"],
  ["?:", "a value in place of one that is missing: has(a.b) ? a.b : c, or a.?b.orValue(c)"],
]);

function wrongOperator({ before, token }: Scene): Issue | undefined {
  if (before === undefined || before.end !== token.start) return undefined;
  const hint = joined.get(before.text + token.text);
  return hint === undefined ? undefined : issueAt(`'${before.text}${token.text}' is no operator`, hint, before, token);
}

function wrongPrefix({ before, token, next }: Scene): Issue | undefined {
  if (token.text === "=" && before !== undefined) return issueAt("'=' is no operator", "equal is ==", token);
  if ((token.text === "&" || token.text === "|") && before !== undefined)
    return issueAt(`'${token.text}' is no operator`, `the operator is ${token.text}${token.text}`, token);
  if (token.text === "." && before?.text === "." && next?.text === ".")
    return issueAt("'...' has no meaning here", "lists are joined with +", before, next);
  return undefined;
}

function operandHint({ before, token, inside }: Scene): string | undefined {
  if (token.text === "," && (before?.text === "," || before?.kind === "symbol")) return "a value is missing before it";
  if (before?.text === "," && token.text === ")") return "a call ends without a comma";
  if (before?.text === "-" && token.kind === "end") return "there is no --";
  if (before?.text === "(" && token.text === ")") return "a group holds a value";
  if (token.text === "+" && (before === undefined || before.kind === "symbol")) return "a number has no + before it";
  if (token.text === "*" || token.text === "%") return `what stands left of ${token.text} is missing`;
  if (token.text === "<" || token.text === ">") return "what is compared stands on both sides: a < b";
  return inside.kind === "index" && token.text === ":" ? "a part of a text is substring(from, to)" : undefined;
}

/** An operator, a comma or a bracket must stand here. */
export function missingOperator(scene: Scene): Issue {
  const { before, token, inside } = scene;
  const slip = wordOperator(scene) ?? signOperator(scene) ?? wordBefore(scene);
  if (slip !== undefined) return slip;
  if (inside.kind === "map" && inside.atKey)
    return issueAt(`':' is expected, found ${describe(token)}`, "an entry is key: value", token);
  const list = inside.kind === "map" || inside.kind === "message" || inside.kind === "list" || inside.kind === "call";
  const isText = before?.kind === "text" || token.kind === "text";
  const hint = list ? `a ',' is missing before ${describe(token)}` : isText ? "texts are joined with +" : undefined;
  return issueAt(`an operator is expected, found ${describe(token)}`, hint, token);
}

/** Words that are operators elsewhere. */
const words: ReadonlyMap<string, string> = new Map([
  ["and", "the operator is &&"],
  ["or", "the operator is ||"],
  ["AND", "the operator is &&"],
  ["OR", "the operator is ||"],
  ["xor", "the operator is !="],
  ["eq", "equal is =="],
  ["ne", "unequal is !="],
  ["lt", "the operator is <"],
  ["gt", "the operator is >"],
  ["le", "the operator is <="],
  ["ge", "the operator is >="],
  ["mod", "the operator is %"],
  ["div", "the operator is /"],
  ["is", "equal is ==; whether a field is set says has(a.b)"],
  ["isnot", "unequal is !="],
  ["equals", "equal is =="],
  ["contains", "it is a method: a.contains(b); of a list b in a"],
  ["matches", "it is a method: a.matches(b)"],
  ["like", "the method is a.matches(b), with a regular expression"],
  ["between", "write a >= low && a <= high"],
  ["instanceof", "the type is known already; type(a) == T compares it"],
  ["then", "a condition is a ? b : c"],
  ["if", "a condition is a ? b : c"],
  ["else", "a condition is a ? b : c"],
  ["for", "a function over a list is list.map(x, …)"],
  ["as", "a value is converted with string(…), int(…), double(…)"],
]);

function wordOperator({ before, token, next }: Scene): Issue | undefined {
  if (token.kind !== "identifier") return undefined;
  if (token.text === "not" && next?.text === "in")
    return issueAt("'not in' is no operator", "write !(a in b)", token, next);
  if (before?.text === "not") return issueAt("'not' is no operator", "the operator is !", before);
  const hint = words.get(token.text);
  return hint === undefined ? undefined : issueAt(`'${token.text}' is no operator`, hint, token);
}

function signOperator({ before, token, next, inside }: Scene): Issue | undefined {
  const isJoined = next?.start === token.end;
  switch (token.text) {
    case "=":
      if (isJoined && next.text === ">")
        return issueAt(
          "there are no functions to write down",
          "a macro names its variable: list.map(x, x.field)",
          token,
          next,
        );
      if (inside.kind === "map" && inside.atKey)
        return issueAt("'=' is expected nowhere", "an entry is key: value", token);
      return issueAt("'=' is no operator", "equal is ==", token);
    case "&":
    case "|":
      return issueAt(`'${token.text}' is no operator`, `the operator is ${token.text}${token.text}`, token);
    case "!":
      return issueAt("'!' is not expected here", "unequal is !=, not in is !(a in b)", token);
    case "{":
      if (before?.kind === "text" || before?.text === ")")
        return issueAt("'{' is not expected here", "a message literal is Name{field: value}", token);
      return undefined;
    case "(":
      return issueAt("'(' is not expected here", "only a function or method is called: f(x), a.f(x)", token);
    default:
      return undefined;
  }
}

/** Words that take a bracket or nothing, and stand for something else than a variable. */
function wordBefore({ before, token }: Scene): Issue | undefined {
  if (before?.kind !== "identifier") return undefined;
  if (token.kind === "text" && before.end === token.start)
    return issueAt(
      `'${before.text}' can't stand before a text`,
      'only r and b can; texts are joined with +: "a " + b',
      before,
    );
  switch (before.text) {
    case "not":
      return issueAt("'not' is no operator", "the operator is !", before);
    case "lambda":
    case "fn":
    case "func":
      return issueAt(
        "there are no functions to write down",
        "a macro names its variable: list.map(x, x.field)",
        before,
      );
    case "new":
      return issueAt("'new' is no operator", "a message is Name{field: value}", before);
    case "size":
    case "has":
    case "int":
    case "uint":
    case "double":
    case "string":
    case "bytes":
    case "bool":
    case "type":
    case "duration":
    case "timestamp":
    case "dyn":
      return issueAt(
        `'${before.text}' is called with brackets`,
        `${before.text}(${token.kind === "end" ? "x" : token.text}…)`,
        before,
      );
    default:
      return undefined;
  }
}

/** The entry or the whole ends in a way that it can't. */
export function misplaced(scene: Scene): Issue {
  const { token, inside } = scene;
  switch (token.text) {
    case ")":
    case "]":
    case "}":
      if (inside.open === undefined)
        return issueAt(`'${token.text}' closes nothing`, "its opening bracket is missing", token);
      if (token.text !== closing[inside.kind]) {
        const missing = `a '${closing[inside.kind]}' is missing before it`;
        return issueAt(`'${token.text}' is found, but '${inside.open.text}' is open`, missing, token);
      }
      return issueAt(`':' is expected, found '${token.text}'`, entryHint(inside), token);
    case ",":
      if (inside.atKey) return issueAt("':' is expected, found ','", entryHint(inside), token);
      return issueAt("',' is not expected here", commaHint(inside), token);
    case ":":
      return issueAt("':' is not expected here", colonHint(scene), token);
    case "":
      return inside.open === undefined ? missingOperator(scene) : neverClosed(inside, inside.open);
    default:
      return missingOperator(scene);
  }
}

function entryHint(inside: Frame): string {
  return inside.kind === "map" && inside.open !== undefined
    ? "an entry is key: value; a list is [a, b]"
    : "an entry is key: value";
}

function commaHint({ kind }: Frame): string | undefined {
  switch (kind) {
    case "whole":
      return "an expression is one value; a list is [a, b]";
    case "group":
      return "is a ')' missing before it? A list is [a, b]";
    case "index":
      return "is a ']' missing before it?";
    default:
      return undefined;
  }
}

function colonHint({ before, next, inside }: Scene): string {
  if (next?.text === "=") return "nothing is assigned: an expression is one value";
  if (next?.text === ":" || before?.text === ":") return "names are joined with '.': package.Message";
  if (inside.kind === "map" || inside.kind === "message") return "a ',' is missing before this entry";
  if (inside.kind === "index") return "a part of a text is substring(from, to)";
  return inside.kind === "call" ? "arguments have no names, they go by their order" : "a condition is a ? b : c";
}

function neverClosed({ kind }: Frame, open: Token): Issue {
  return issueAt(`'${open.text}' is never closed`, `a '${closing[kind]}' is missing`, open);
}

/** A condition whose second part does not follow. */
export function missingColon(question: Token, behind: Token | undefined): Issue {
  if (behind?.text === "." && behind.start === question.end) {
    const hint = "a field of what may be missing is a.?b, or has(a.b) ? a.b : c";
    return issueAt("'?.' is no operator", hint, question, behind);
  }
  return issueAt("the condition has no ':'", "a ? b : c", question);
}

/** A condition right inside a condition. */
export function nestedCondition(question: Token): Issue {
  return issueAt(
    "a condition stands inside a condition",
    "put the inner one in parentheses: a ? (b ? c : d) : e",
    question,
  );
}

/** A word that can't be a name. */
export function reservedName(scene: Scene): Issue {
  const { token, inside } = scene;
  const message = `'${token.text}' is a reserved word`;
  if (inside.kind === "map" && inside.atKey)
    return issueAt(message, `as a field's name it needs quotes: "${token.text}"`, token);
  switch (token.text) {
    case "if":
    case "else":
      return issueAt(message, "a condition is a ? b : c", token);
    case "let":
    case "var":
    case "const":
      return issueAt(message, "a value gets a name with cel.bind(x, value, …), or a let step", token);
    case "for":
    case "while":
    case "loop":
      return issueAt(message, "a function over a list is list.map(x, …), all, exists, filter", token);
    case "function":
      return issueAt(message, "a macro names its variable: list.map(x, x.field)", token);
    case "return":
      return issueAt(message, "the expression itself is the value", token);
    case "in":
      return issueAt(message, "what is looked for stands left of it: a in b", token);
    default:
      return issueAt(message, "name it otherwise", token);
  }
}

/** A field name must stand behind the dot. */
export function missingField({ earlier, token, next }: Scene): Issue {
  if (token.kind === "identifier" && reservedWords.has(token.text)) {
    const message = `a field named '${token.text}' can't be named like this`;
    return issueAt(message, `put it in backticks: .\`${token.text}\``, token);
  }
  const hint =
    token.text === "["
      ? "an element is a[0], without a dot"
      : token.text === "*"
        ? "a field of each element is list.map(x, x.field)"
        : token.text === "." && next?.kind === "identifier"
          ? "one dot is enough"
          : earlier?.kind === "number"
            ? `a double is ${earlier.text}.0`
            : undefined;
  return issueAt(`a field name is expected after '.', found ${describe(token)}`, hint, token);
}

/** Nested too deep. */
export function tooDeep(depthMax: number, token: Token): Issue {
  const message = `the expression is nested more than ${depthMax} deep`;
  return { ...issueAt(message, "split it with let steps", token), code: "CEL_LIMIT" };
}

/** A word, for messages. */
export function describe(token: Token): string {
  return token.kind === "end" ? "the end" : `'${token.text}'`;
}
