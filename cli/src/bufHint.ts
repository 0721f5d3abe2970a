import { didYouMean } from "../../orchestrator/src/compile/closest.ts";

/** What buf said, and what it said it about. */
export interface BufFinding {
  readonly message: string;
  /** The line of the source, and the column in it. */
  readonly line: string;
  readonly column: number;
  /** Text of our own sidestep/v1/workflow.proto. */
  readonly schema: string;
  /** Folders that imports are looked up from. */
  readonly roots: readonly string[];
}

/** What to do about the mistakes that definitions have most often; empty for others. */
export function hintFor(finding: BufFinding): string {
  const { message } = finding;
  const word = /^[A-Za-z_]\w*/.exec(finding.line.slice(finding.column - 1))?.[0] ?? "";
  const inMessage = /^cannot resolve message field name for `?sidestep\.v1\.([\w.]+?)`?$/.exec(message)?.[1];
  if (inMessage !== undefined) {
    const fields = fieldsOf(finding.schema, inMessage);
    return [didYouMean(word, fields), `${inMessage} has: ${fields.join(", ")}`].filter((part) => part !== "").join(" ");
  }
  if (message.includes("imported file does not exist")) {
    const roots = finding.roots.map((root) => (root === "." ? "this folder" : root)).join(", ");
    return `imports are looked up from ${roots}: other roots stand in buf.yaml as modules`;
  }
  if (/cannot find `?\(?sidestep\.v1\./.test(message)) return 'add import "sidestep/v1/workflow.proto";';
  if (message.includes("implicitly-concatenated string"))
    return "a quote ended the text: write '…' around an expression that holds \"…\", or the other way round";
  return /^mismatched types|^cannot find `/.test(message) ? valueHint(finding, word) : "";
}

/** What is written at a field of ours that was given something else, by the field's name before the value. */
function valueHint({ line, column, schema }: BufFinding, word: string): string {
  const [, field = "", colon = ""] = /(\w+)\s*(:?)\s*$/.exec(line.slice(0, column - 1)) ?? [];
  const type = new RegExp(`^\\s+(?:repeated |optional )?([\\w.]+) ${field} = \\d+`, "m").exec(schema)?.[1];
  if (type === "string") {
    const given = /^[^\s,;}{]+/.exec(line.slice(column - 1))?.[0];
    return `${field} is a text, in quotes: ${field}: '${colon === "" ? "{…}" : (given ?? "…")}'`;
  }
  const values = type === undefined ? [] : valuesOf(schema, type);
  if (values.length === 0) return "";
  const near = didYouMean(word, values) || didYouMean(word.toUpperCase(), values);
  return [near, `${field} is one of ${values.join(", ")}`].filter((part) => part !== "").join(" ");
}

/** Names of the values of an enum that stands in a message, without the one that says nothing. */
function valuesOf(schema: string, type: string): readonly string[] {
  const [outer, name] = type.split(".");
  const body = schema.split(`\nmessage ${outer} {\n`)[1]?.split(`enum ${name} {\n`)[1]?.split("}")[0] ?? "";
  return [...body.matchAll(/^\s+(\w+) = [1-9]\d*;/gm)].map(([, value = ""]) => value);
}

/** Names of the fields of a message of the schema, in its order. */
export function fieldsOf(schema: string, message: string): readonly string[] {
  const lines = schema.split("\n");
  const begin = lines.findIndex((line) => line.startsWith(`message ${message} {`));
  if (begin < 0) return [];
  const fields: string[] = [];
  for (const line of lines.slice(begin + 1)) {
    if (line.startsWith("}")) break;
    const field = /^\s+(?:repeated |optional )?[\w.]+(?:<[^>]*>)? (\w+) = \d+/.exec(line);
    if (field?.[1] !== undefined) fields.push(field[1]);
  }
  return fields;
}
