import path from "node:path";
import { at, codeOnly, isProduction, withoutComments } from "./source.ts";
import type { Finding, Source } from "./source.ts";

const linesMax = 400;

/** Past 400 lines a file holds two ideas. */
export function longFiles(tree: readonly Source[]): readonly Finding[] {
  return tree
    .filter(({ path: file }) => /\.(ts|mts|mjs|cjs|js|tsx|py)$/.test(file) && !/_pb2(_grpc)?\.py$/.test(file))
    .map((source) => ({ source, lines: source.text.trimEnd().split("\n").length }))
    .filter(({ lines }) => lines > linesMax)
    .map(
      ({ source, lines }) =>
        `${source.path}: ${lines} lines, at most ${linesMax}. Remedy: it holds two ideas; give each a file.`,
    );
}

/** A switch over a union of ours names every kind: then the compiler finds the places when a kind is added. */
export function defaultBranches(tree: readonly Source[]): readonly Finding[] {
  return tree.filter(isProduction).flatMap((source) => {
    const code = codeOnly(source.text);
    return [...code.matchAll(/\bswitch\s*\([^()]*\.(?:kind|\$case)\)\s*\{/g)]
      .filter((match) => hasDefault(code, match.index + match[0].length))
      .map(
        (match) =>
          `${at(source, match.index)}: a default branch over kind or $case. Remedy: name the cases that are left.`,
      );
  });
}

function hasDefault(code: string, start: number): boolean {
  let depth = 1;
  for (let offset = start; offset < code.length && depth > 0; offset += 1) {
    const character = code[offset];
    if (character === "{") depth += 1;
    else if (character === "}") depth -= 1;
    else if (
      depth === 1 &&
      /^\bdefault\s*:/.test(code.slice(offset, offset + 12)) &&
      !/\w/.test(code[offset - 1] ?? "")
    )
      return true;
  }
  return false;
}

/** Paths that exist on one machine only. */
export function machinePaths(tree: readonly Source[]): readonly Finding[] {
  return matches(
    tree.filter(({ path: file }) => !file.startsWith("test/tidy")),
    /(?<![\w.$}~-])\/(?:work|farm|root|home\/\w+|Users\/\w+)\//g,
    "is a path of one machine",
    "make it relative, or take it from the environment",
  );
}

/** Work that was put off. */
export function unfinished(tree: readonly Source[]): readonly Finding[] {
  const sources = tree.filter(
    ({ path: file }) => /\.(ts|mts|mjs|js|proto|py)$/.test(file) && !file.startsWith("test/tidy"),
  );
  return [
    ...matches(
      sources,
      /\b(?:TODO|FIXME|XXX|HACK)\b/g,
      "is work put off",
      "do it, or leave it out and say so in an issue",
    ),
    ...matches(
      sources,
      /\b(?:test|it|describe)\.(?:skip|only|todo|fails)\b/g,
      "switches a test off",
      "make it pass, or delete it",
    ),
  ];
}

/** Types given up; in tests `as` is allowed, an escape from the compiler nowhere. */
export function typesGivenUp(tree: readonly Source[]): readonly Finding[] {
  const sources = tree.filter(({ path: file }) => file.endsWith(".ts") && !file.startsWith("test/tidy"));
  return [
    ...matches(
      sources,
      /@ts-(?:ignore|nocheck|expect-error)|(?:oxlint|eslint)-disable/g,
      "silences a tool",
      "repair the cause; a rule that is wrong here goes off in .oxlintrc.json with its reason",
    ),
    ...matches(sources, /\bas unknown as\b/g, "casts without a check", "parse it, or make the types fit"),
  ];
}

/** An exported function or class says what it promises. */
export function undocumentedExports(tree: readonly Source[]): readonly Finding[] {
  return tree.filter(isProduction).flatMap((source) => {
    const declared = source.text.matchAll(/(^.*\n)^export (?:async )?(?:function\*?|class) (\w+)/gm);
    return [...declared]
      .filter(([, before = ""]) => !/\*\/\s*$|^\s*\/\/|^export /.test(before))
      .map(
        (match) =>
          `${at(source, match.index + (match[1]?.length ?? 0))}: ${match[2]} has no doc comment. Remedy: say what it promises: shapes, units, errors.`,
      );
  });
}

/** A test waits for an event or moves a clock; a sleep is either too short or too long. */
export function sleepsInTests(tree: readonly Source[]): readonly Finding[] {
  const tests = tree
    .filter(({ path: file }) => file.endsWith(".test.ts") && !file.startsWith("test/tidy"))
    .map((source) => ({ path: source.path, text: codeOnly(source.text) }));
  return matches(
    tests,
    /\b(?:setTimeout|sleep|delay)\(/g,
    "sleeps",
    "wait for a line, a message or a promise, or move the clock",
  );
}

function matches(tree: readonly Source[], pattern: RegExp, what: string, remedy: string): readonly Finding[] {
  return tree.flatMap((source) =>
    [...source.text.matchAll(pattern)].map(
      (match) => `${at(source, match.index)}: "${match[0]}" ${what}. Remedy: ${remedy}.`,
    ),
  );
}

/** Every relative link of a page leads to a file, and its #anchor to a heading there. */
export function deadLinks(tree: readonly Source[], exists: (file: string) => boolean): readonly Finding[] {
  const pages = new Map(tree.filter(({ path: file }) => file.endsWith(".md")).map((source) => [source.path, source]));
  return [...pages.values()].flatMap((page) =>
    [...withoutFences(page.text).matchAll(/\]\(([^()\s]+)\)/g)].flatMap((match) => {
      const [target = "", anchor] = (match[1] ?? "").split("#");
      if (/^[a-z]+:/.test(target)) return [];
      const file = target === "" ? page.path : path.posix.join(path.posix.dirname(page.path), target);
      if (!exists(file))
        return [`${at(page, match.index)}: links to ${match[1]}, which is not there. Remedy: correct the link.`];
      const there = pages.get(file);
      if (anchor === undefined || there === undefined || anchorsOf(there.text).has(anchor)) return [];
      return [`${at(page, match.index)}: ${file} has no heading #${anchor}. Remedy: correct the anchor.`];
    }),
  );
}

function withoutFences(text: string): string {
  return text
    .replace(/^```[^]*?^```/gm, (fence) => fence.replace(/[^\n]/g, " "))
    .replace(/`[^`\n]*`/g, (span) => " ".repeat(span.length));
}

function anchorsOf(text: string): ReadonlySet<string> {
  const headings = [...text.replace(/^```[^]*?^```/gm, "").matchAll(/^#+\s+(.+)$/gm)];
  return new Set(
    headings.map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, "")
        .trim()
        .replaceAll(/\s/g, "-"),
    ),
  );
}

const grpcStatuses = new Set(
  "OK CANCELLED UNKNOWN INVALID_ARGUMENT DEADLINE_EXCEEDED NOT_FOUND ALREADY_EXISTS PERMISSION_DENIED RESOURCE_EXHAUSTED FAILED_PRECONDITION ABORTED OUT_OF_RANGE UNIMPLEMENTED INTERNAL UNAVAILABLE DATA_LOSS UNAUTHENTICATED".split(
    " ",
  ),
);

/** Every code a user can meet (unions named …Code or …Reason, `code:` and `reason:` literals) has an entry in docs/errors.md. */
export function undocumentedCodes(tree: readonly Source[]): readonly Finding[] {
  const page = tree.find(({ path: file }) => file === "docs/errors.md");
  const documented = new Set(page?.text.match(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*\b/g));
  const seen = new Set<string>();
  return tree
    .filter(isProduction)
    .filter(({ path: file }) => /^(orchestrator|sidecar|cli|runtime)\//.test(file))
    .flatMap((source) => {
      const text = withoutComments(source.text);
      const unions = [...text.matchAll(/^export type \w*(?:Code|Reason)\s*=([^;]+);/gm)].flatMap((match) =>
        [...(match[1] ?? "").matchAll(/"([A-Z][A-Z0-9_]+)"/g)].map(([, code = ""]) => [code, match.index] as const),
      );
      const literals = [...text.matchAll(/\b(?:code|reason):\s*"([A-Z][A-Z0-9_]+)"/g)].map(
        (match) => [match[1] ?? "", match.index] as const,
      );
      return [...unions, ...literals]
        .filter(([code]) => !grpcStatuses.has(code) && !documented.has(code) && !seen.has(code) && seen.add(code))
        .map(
          ([code, offset]) =>
            `${at(source, offset)}: the code ${code} is not in docs/errors.md. Remedy: add it there with cause and remedy.`,
        );
    });
}
