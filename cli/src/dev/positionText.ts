import path from "node:path";
import { styleText } from "node:util";

/** Something wrong in a file that is no .proto. */
export interface Positioned {
  readonly file: string;
  /** All of the file. */
  readonly text: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly hint: string;
  readonly color: boolean;
}

/** As `sidestep check` shows what is wrong in a .proto: file:line:column, the line with a caret, a hint. */
export function positionText({ file, text, line, column, message, hint, color }: Positioned): string {
  const paint = (style: "bold" | "red" | "cyan", part: string): string =>
    color ? styleText(style, part, { validateStream: false }) : part;
  const relative = path.relative("", file);
  const shown = relative.startsWith("..") ? file : relative;
  const source = (text.split("\n")[line - 1] ?? "").replace(/\r$/, "");
  const number = String(line).padStart(5);
  const before = source.slice(0, column - 1).replaceAll(/[^\t]/g, " ");
  return [
    `${paint("bold", `${shown}:${line}:${column}:`)} ${paint("red", "error:")} ${message}`,
    `${number} | ${source}`,
    `${" ".repeat(number.length)} | ${before}${paint("red", "^")}`,
    `  ${paint("cyan", "hint:")} ${hint}`,
  ].join("\n");
}
