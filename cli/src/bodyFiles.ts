import path from "node:path";
import type { DescMessage } from "@bufbuild/protobuf";
import { codes } from "../../orchestrator/src/compile/codes.ts";
import { Diagnostic_Severity } from "../../proto/gen/sidestep/v1/diagnostic.ts";
import type { Diagnostic } from "../../proto/gen/sidestep/v1/diagnostic.ts";
import { yamlBody } from "./bodyYaml.ts";

/** A .proto with the bodies of its workflows in their places. */
export interface ExpandedProto {
  readonly text: string;
  readonly bodies: readonly PlacedBody[];
  readonly wrong: readonly Diagnostic[];
}

/** A body and where it stands in the expanded text; lines count from 1. */
export interface PlacedBody {
  /** As the .proto's own name is told: beside it. */
  readonly name: string;
  readonly text: string;
  readonly firstLine: number;
  readonly lineCount: number;
  /** Line of the original where it is named, and the column behind that. */
  readonly namedAt: { readonly line: number; readonly column: number };
}

const mention = /\bbody_file\s*:\s*(?:"([^"\n]*)"|'([^'\n]*)')/g;

/** Puts the files that `body_file` names into a .proto, so that it is as if it had been written there; `undefined` of `read`: there is no such file. */
export function expandBodies(
  name: string,
  text: string,
  read: (file: string) => string | undefined,
  workflow: DescMessage | undefined,
): ExpandedProto | undefined {
  const bodies: PlacedBody[] = [];
  const wrong: Diagnostic[] = [];
  let expanded = "";
  let at = 0;
  for (const found of text.matchAll(mention)) {
    const file = found[1] ?? found[2] ?? "";
    const beside = path.posix.join(path.posix.dirname(name), file);
    const begin = found.index;
    const namedAt = positionAt(text, begin + found[0].length);
    const source = read(beside);
    if (source === undefined) {
      const { line, column } = positionAt(text, begin);
      wrong.push(finding(name, line, column, `there is no file ${beside}`, "name it as it stands beside the .proto"));
      continue;
    }
    const body = bodyText(beside, source, workflow);
    if (body.kind === "wrong") {
      wrong.push(finding(beside, body.line, body.column, body.message, ""));
      continue;
    }
    expanded += `${text.slice(at, begin)}\n`;
    bodies.push({
      name: beside,
      text: source,
      firstLine: expanded.split("\n").length,
      lineCount: body.text.split("\n").length,
      namedAt,
    });
    expanded += `${body.text}\n`;
    at = begin + found[0].length;
  }
  return bodies.length + wrong.length === 0 ? undefined : { text: expanded + text.slice(at), bodies, wrong };
}

/** What is said of the expanded text, said of the files as they are. */
export function placeIn({ bodies }: ExpandedProto, diagnostic: Diagnostic): Diagnostic {
  let added = 0;
  for (const { name, firstLine, lineCount, namedAt } of bodies) {
    const last = firstLine + lineCount - 1;
    if (diagnostic.line < firstLine) break;
    if (diagnostic.line <= last) return { ...diagnostic, file: name, line: diagnostic.line - firstLine + 1 };
    added += lineCount + 1;
    if (diagnostic.line === last + 1)
      return { ...diagnostic, line: namedAt.line, column: diagnostic.column + namedAt.column - 1 };
  }
  return { ...diagnostic, line: diagnostic.line - added };
}

function bodyText(name: string, source: string, workflow: DescMessage | undefined): ReturnType<typeof yamlBody> {
  return /\.ya?ml$/.test(name)
    ? yamlBody(source, workflow)
    : { kind: "text", text: withoutComments(source.replace(/\n$/, "")) };
}

/** The text format's comments begin with #, those of options in a .proto don't: they are blanked out, so that all else stays where it is. */
function withoutComments(text: string): string {
  return text.replaceAll(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|#[^\n]*/g, (part) =>
    part.startsWith("#") ? " ".repeat(part.length) : part,
  );
}

function positionAt(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

function finding(file: string, line: number, column: number, message: string, hint: string): Diagnostic {
  return { severity: Diagnostic_Severity.ERROR, code: codes.SOURCES.code, message, hint, file, line, column, path: "" };
}
