import { Diagnostic_Severity } from "../../../proto/gen/sidestep/v1/diagnostic.ts";
import type { Diagnostic } from "../../../proto/gen/sidestep/v1/diagnostic.ts";

/** How a diagnostic is shown. */
export interface DiagnosticTextOptions {
  /** Texts of the .proto files by their names in the image; the line in question is shown where its file is known. */
  readonly sources?: ReadonlyMap<string, string>;
  /** The path to print for a file of the image; as it is unless given. */
  readonly showFile?: (file: string) => string;
  /** With the colours of a terminal. */
  readonly color?: boolean;
}

const lineMax = 160;

/**
 * One diagnostic as text, in lines without a last newline:
 *
 *     shop/v1/order.proto:12:18: error: unknown service 'inventory.v2.Inventory' [SIDESTEP1101]
 *         12 |       method: "inventory.v2.Inventory/Reserve"
 *            |               ^
 *       hint: did you mean 'inventory.v1.Inventory'?
 *
 * Without a position the path in the definition stands in its place.
 */
export function diagnosticText(diagnostic: Diagnostic, options: DiagnosticTextOptions = {}): string {
  const paint = options.color === true ? painted : plain;
  const isError = diagnostic.severity !== Diagnostic_Severity.WARNING;
  const word = isError ? paint("31;1", "error:") : paint("33;1", "warning:");
  const head = `${paint("1", where(diagnostic, options))} ${word} ${diagnostic.message} ${paint("2", `[${diagnostic.code}]`)}`;
  const lines = [head, ...excerpt(diagnostic, options.sources, paint)];
  if (diagnostic.hint !== "") lines.push(`  ${paint("36", "hint:")} ${diagnostic.hint}`);
  return lines.join("\n");
}

function where(diagnostic: Diagnostic, options: DiagnosticTextOptions): string {
  const file = diagnostic.file === "" ? "" : (options.showFile ?? ((name: string) => name))(diagnostic.file);
  if (diagnostic.line > 0) return `${file}:${diagnostic.line}:${diagnostic.column}:`;
  const parts = [file, diagnostic.path].filter((part) => part !== "");
  return parts.length === 0 ? "image:" : `${parts.join(": ")}:`;
}

function excerpt(
  diagnostic: Diagnostic,
  sources: ReadonlyMap<string, string> | undefined,
  paint: Paint,
): readonly string[] {
  const whole = sources?.get(diagnostic.file)?.split("\n")[diagnostic.line - 1]?.replace(/\r$/, "");
  if (whole === undefined) return [];
  const { line, at } = clip(whole, diagnostic.column - 1);
  const number = String(diagnostic.line).padStart(5);
  const before = line.slice(0, at).replaceAll(/[^\t]/g, " ");
  return [
    `${paint("2", `${number} |`)} ${line}`,
    `${paint("2", `${" ".repeat(number.length)} |`)} ${before}${paint("31;1", "^")}`,
  ];
}

/** Of a long line, what is around the point in question. */
function clip(whole: string, at: number): { readonly line: string; readonly at: number } {
  if (whole.length <= lineMax) return { line: whole, at };
  const from = Math.max(0, Math.min(at - lineMax / 2, whole.length - lineMax));
  const end = from + lineMax;
  const before = from > 0 ? "…" : "";
  const after = end < whole.length ? "…" : "";
  return { line: `${before}${whole.slice(from, end)}${after}`, at: at - from + before.length };
}

type Paint = (style: string, text: string) => string;

function plain(_style: string, text: string): string {
  return text;
}

function painted(style: string, text: string): string {
  return `\u001b[${style}m${text}\u001b[0m`;
}
