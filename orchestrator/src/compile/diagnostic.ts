import { Diagnostic_Severity } from "../../../proto/gen/sidestep/v1/diagnostic.ts";
import type { Diagnostic } from "../../../proto/gen/sidestep/v1/diagnostic.ts";
import { codes } from "./codes.ts";
import type { Findings } from "./findings.ts";
import type { TextNode } from "./optionText.ts";
import { showPlace } from "./place.ts";
import type { Root } from "./place.ts";
import { locate } from "./position.ts";

/** Findings as everyone outside sees them: with their positions, sorted by file and position; without positions in their own order. */
export function toDiagnostics(findings: Findings, texts: ReadonlyMap<string, string>): readonly Diagnostic[] {
  const sources = { texts, options: new Map<Root, TextNode>() };
  const diagnostics = [...findings.errors, ...findings.lints].map((finding): Diagnostic => {
    const { place } = finding;
    const position = place === undefined ? undefined : locate(place, finding.offset, sources);
    return {
      severity: codes[finding.mistake].isLint === true ? Diagnostic_Severity.WARNING : Diagnostic_Severity.ERROR,
      code: codes[finding.mistake].code,
      message: finding.message,
      hint: finding.hint,
      file: place?.root.service.file.proto.name ?? "",
      line: position?.line ?? 0,
      column: position?.column ?? 0,
      path: place === undefined ? "" : showPlace(place),
    };
  });
  const sorted = diagnostics.toSorted((a, b) => compare(a.file, b.file) || a.line - b.line || a.column - b.column);
  const leftOut = findings.leftOut();
  return leftOut === 0 ? sorted : [...sorted, restOf(leftOut)];
}

/** Not one more mistake, but that there are more. */
function restOf(count: number): Diagnostic {
  return {
    severity: Diagnostic_Severity.WARNING,
    code: codes.LIMIT.code,
    message: `${count} more ${count === 1 ? "finding is" : "findings are"} left out`,
    hint: "correct these first",
    file: "",
    line: 0,
    column: 0,
    path: "",
  };
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
