import { Diagnostic_Severity } from "../../../proto/gen/sidestep/v1/diagnostic.ts";
import type { Diagnostic } from "../../../proto/gen/sidestep/v1/diagnostic.ts";
import { codes } from "./codes.ts";
import type { Finding } from "./findings.ts";
import type { TextNode } from "./optionText.ts";
import { showPlace } from "./place.ts";
import type { Root } from "./place.ts";
import { locate } from "./position.ts";

/** Findings as everyone outside sees them: with their positions, sorted by file and position; without positions in their own order. */
export function toDiagnostics(findings: readonly Finding[], texts: ReadonlyMap<string, string>): readonly Diagnostic[] {
  const sources = { texts, options: new Map<Root, TextNode>() };
  const diagnostics = findings.map((finding): Diagnostic => {
    const { place } = finding;
    const position = place === undefined ? undefined : locate(place, finding.offset, sources);
    return {
      severity: Diagnostic_Severity.ERROR,
      code: codes[finding.mistake].code,
      message: finding.message,
      hint: finding.hint,
      file: place?.root.service.file.proto.name ?? "",
      line: position?.line ?? 0,
      column: position?.column ?? 0,
      path: place === undefined ? "" : showPlace(place),
    };
  });
  return diagnostics.toSorted((a, b) => compare(a.file, b.file) || a.line - b.line || a.column - b.column);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
