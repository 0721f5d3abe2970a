import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { repositoryRoot } from "../support/program.ts";

/** A file of the repository: its path from the root, and its text. */
export type Source = { readonly path: string; readonly text: string };

/** One breach of a rule: where, what is wrong, what to do. */
export type Finding = string;

/** What a file imports: `target` is a path from the root for own files, else the name of a package or of a Node module. */
export type Import = { readonly target: string; readonly isOwn: boolean; readonly isType: boolean };

/** Every text file of ours that git tracks or would track, hidden folders of tools left out. */
export function readTree(): readonly Source[] {
  const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "-z"], {
    cwd: repositoryRoot,
    encoding: "utf8",
  });
  return listed
    .split("\0")
    .filter(
      (file) =>
        /\.(ts|mts|mjs|cjs|js|tsx|py|proto|md|json|yaml|yml|txt|sh)$/.test(file) || /^(\.ci|deploy)\//.test(file),
    )
    .filter(
      (file) =>
        !/^\.(?!ci\/)[^/]*\//.test(file) && file !== "package-lock.json" && existsSync(path.join(repositoryRoot, file)),
    )
    .map((file) => ({ path: file, text: readFileSync(path.join(repositoryRoot, file), "utf8") }));
}

/** TypeScript that runs in production: neither a test nor what only tests use. */
export function isProduction({ path: file }: Source): boolean {
  return file.endsWith(".ts") && !isTest(file) && !/\.d\.[cm]?ts$/.test(file);
}

/** Tests, and what only tests import. */
export function isTest(file: string): boolean {
  return /^test\/|\.test\.ts$|\/(testing|testdata)(\/|\.ts$)/.test(file);
}

/** Every import and re-export of a file, dynamic ones included. */
export function importsOf(source: Source): readonly Import[] {
  // A text in a template may look like an import: a .proto that is written out.
  const text = withoutComments(source.text).replace(/`(?:[^`\\]|\\.)*`/g, "``");
  const named = [...text.matchAll(/^\s*(?:import|export)\s+(type\s)?(?:[^;"']*?\sfrom\s+)?"([^"]+)"/gm)];
  const dynamic = [...text.matchAll(/\bimport\(\s*"([^"]+)"\s*\)/g)];
  return [
    ...named.map(([, type, target = ""]) => toImport(source.path, target, type !== undefined)),
    ...dynamic.map(([, target = ""]) => toImport(source.path, target, false)),
  ];
}

function toImport(from: string, target: string, isType: boolean): Import {
  if (target.startsWith(".")) return { target: path.posix.join(path.posix.dirname(from), target), isOwn: true, isType };
  const name = /^(@[^/]+\/[^/]+|[^/]+)/.exec(target)?.[1] ?? target;
  return { target: target.startsWith("node:") ? target : name, isOwn: false, isType };
}

/** The text with comments blanked out; line breaks stay, so that line numbers do. */
export function withoutComments(text: string): string {
  return text.replace(
    /("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)|\/\*[^]*?\*\/|(?<![:\\])\/\/[^\n]*/g,
    (whole, literal: string | undefined) => literal ?? whole.replace(/[^\n]/g, " "),
  );
}

/** The text with comments and the contents of string literals blanked out: what is left is code. */
export function codeOnly(text: string): string {
  return withoutComments(text).replace(
    /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`/g,
    (literal) => literal[0] + literal.slice(1, -1).replace(/[^\n]/g, " ") + literal[0],
  );
}

/** `file:line` of an offset. */
export function at(source: Source, offset: number): string {
  return `${source.path}:${source.text.slice(0, offset).split("\n").length}`;
}
