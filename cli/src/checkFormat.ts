import { codes } from "../../orchestrator/src/compile/codes.ts";
import { Diagnostic_Severity } from "../../proto/gen/sidestep/v1/diagnostic.ts";
import type { Diagnostic } from "../../proto/gen/sidestep/v1/diagnostic.ts";
import { version } from "../../runtime/src/version.ts";

/** Path, from the working folder, of a file of the image. */
export type ShowFile = (file: string) => string;

/** Diagnostics as a SARIF 2.1.0 log, which code scanning of GitHub, GitLab and editors reads. */
export function toSarif(diagnostics: readonly Diagnostic[], showFile: ShowFile): string {
  const rules = Object.values(codes)
    .toSorted((a, b) => (a.code < b.code ? -1 : 1))
    .map(({ code, title, isLint }) => ({
      id: code,
      shortDescription: { text: title },
      help: { text: `docs/errors.md explains ${code}, and what to do.` },
      defaultConfiguration: { level: isLint === true ? "warning" : "error" },
    }));
  const indexes = new Map(rules.map(({ id }, index) => [id, index]));
  const results = diagnostics.map((diagnostic) => ({
    ruleId: diagnostic.code,
    ruleIndex: indexes.get(diagnostic.code) ?? -1,
    level: isWarning(diagnostic) ? "warning" : "error",
    message: { text: textOf(diagnostic) },
    locations: [locationOf(diagnostic, showFile)],
  }));
  const log = {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: { driver: { name: "sidestep", version, rules } },
        columnKind: "utf16CodeUnits",
        results,
      },
    ],
  };
  return JSON.stringify(log, undefined, 2);
}

function locationOf(diagnostic: Diagnostic, showFile: ShowFile) {
  const { file, line, column, path } = diagnostic;
  const logical = path === "" ? {} : { logicalLocations: [{ fullyQualifiedName: path }] };
  if (file === "") return logical;
  const region = line === 0 ? {} : { region: { startLine: line, startColumn: Math.max(1, column) } };
  const uri = encodeURI(showFile(file).replaceAll("\\", "/"));
  return { physicalLocation: { artifactLocation: { uri }, ...region }, ...logical };
}

/** Diagnostics as the commands by which GitHub Actions marks lines of a pull request, one a line. */
export function toGithub(diagnostics: readonly Diagnostic[], showFile: ShowFile): string {
  return diagnostics
    .map((diagnostic) => {
      const { file, line, column, code, path } = diagnostic;
      const properties = [
        ...(file === "" ? [] : [`file=${escapeProperty(showFile(file))}`]),
        ...(line === 0 ? [] : [`line=${line}`, `col=${column}`]),
        `title=${escapeProperty(code)}`,
      ];
      const text = line === 0 && path !== "" ? `${path}: ${textOf(diagnostic)}` : textOf(diagnostic);
      return `::${isWarning(diagnostic) ? "warning" : "error"} ${properties.join(",")}::${escapeText(text)}`;
    })
    .join("\n");
}

function textOf({ message, hint }: Diagnostic): string {
  return hint === "" ? message : `${message}\nhint: ${hint}`;
}

function isWarning({ severity }: Diagnostic): boolean {
  return severity === Diagnostic_Severity.WARNING;
}

function escapeText(text: string): string {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

function escapeProperty(text: string): string {
  return escapeText(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}
