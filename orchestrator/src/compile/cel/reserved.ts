/** Variables the engine itself provides somewhere; a step id, loop variable or carry can't be one of them. */
export const builtInVariables: ReadonlySet<string> = new Set([
  "input",
  "query",
  "steps",
  "run",
  "now",
  "metadata",
  "event",
  "answer",
  "decision",
  "error",
  "index",
  "iteration",
]);

/** Reserved words of CEL: none can be an identifier. */
export const reservedWords: ReadonlySet<string> = new Set([
  "true",
  "false",
  "null",
  "in",
  "as",
  "break",
  "const",
  "continue",
  "else",
  "for",
  "function",
  "if",
  "import",
  "let",
  "loop",
  "package",
  "namespace",
  "return",
  "var",
  "void",
  "while",
]);

/** Types, functions and macros of CEL that an identifier would hide. */
export const builtInNames: ReadonlySet<string> = new Set([
  "int",
  "uint",
  "double",
  "bool",
  "string",
  "bytes",
  "list",
  "map",
  "null_type",
  "type",
  "dyn",
  "optional_type",
  "timestamp",
  "duration",
  "size",
  "has",
  "all",
  "exists",
  "exists_one",
  "filter",
  "matches",
  "optional",
  "strings",
  "math",
  "cel",
]);

/** Why a name can't be a step id, a loop variable or a carry: a clause for a diagnostic; undefined when it can. */
export function whyNotAnIdentifier(name: string, packages: ReadonlySet<string>): string | undefined {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    return "it is no CEL identifier (letters, digits and _, not beginning with a digit)";
  if (reservedWords.has(name)) return "it is a reserved word of CEL";
  if (builtInVariables.has(name)) return "the engine's own variable has that name";
  if (builtInNames.has(name)) return "it would hide a type or function of CEL";
  if (packages.has(name)) return `it would hide the package '${name}'`;
  return undefined;
}
