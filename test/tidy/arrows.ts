import type { Part } from "./architecture.ts";
import { codeOnly, importsOf, isProduction } from "./source.ts";
import type { Finding, Import, Source } from "./source.ts";

/** DESIGN rules 1 to 3: every import follows an arrow of the table. */
export function brokenArrows(tree: readonly Source[], parts: readonly Part[]): readonly Finding[] {
  return tree.filter(isProduction).flatMap((source) => {
    const part = partOf(source.path, parts);
    if (part === undefined)
      return [
        `${source.path}: belongs to no part of the architecture. Remedy: move it, or name its folder in test/tidy/architecture.ts.`,
      ];
    return importsOf(source)
      .filter((it) => !isAllowed(it, part, parts))
      .map(
        ({ target, isType }) =>
          `${source.path}: ${part.folder} may not import ${isType ? "types of " : ""}${target}. Remedy: hand it in through a port, or move the code to where the arrow starts.`,
      );
  });
}

function isAllowed({ target, isOwn, isType }: Import, part: Part, parts: readonly Part[]): boolean {
  if (target.startsWith("node:")) return part.pure !== true;
  if (!isOwn)
    return part.packages.some((it) => (it.endsWith("*") ? target.startsWith(it.slice(0, -1)) : target === it));
  if (isBelow(target, "proto/gen")) return part.imports.includes("proto/gen");
  if (part.imports.includes(target)) return true;
  const home = partOf(target, parts)?.folder;
  return (
    home !== undefined &&
    (home === part.folder || part.imports.includes(home) || (isType && part.imports.includes(`type:${home}`)))
  );
}

/** DESIGN rule 1: what a pure folder must not contain, whatever it imports. */
export function impurities(tree: readonly Source[], parts: readonly Part[]): readonly Finding[] {
  const forbidden: readonly (readonly [RegExp, string])[] = [
    [/\b(async|await)\b|\bPromise\b/, "nothing here is async: decide from data to data"],
    [/\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\b/, "no clock: the time is that of the event"],
    [/\bMath\.random\b|\bcrypto\b/, "no chance: derive it from run id and attempt"],
    // What a named time zone's clock shows is known to Intl alone; it says the same in every locale.
    [
      /\blocaleCompare\b|\btoLocale\w+|\bIntl\.(?!DateTimeFormat)|\.get(?!UTC)(FullYear|Month|Date|Day|Hours|Minutes|Seconds)\(\)/,
      "no locale, and no zone of the machine: a replay elsewhere must say the same",
    ],
    [/\b(setTimeout|setInterval|setImmediate|queueMicrotask)\b/, "no timers: ask for one by a command"],
    [/\bprocess\.|\bconsole\.|\bfetch\(|\bBuffer\b/, "no Node: plain data in, plain data out"],
    [/^(?:export )?let\s/m, "no state of its own: a module's variable outlives the call"],
  ];
  return tree
    .filter((source) => isProduction(source) && partOf(source.path, parts)?.pure === true)
    .flatMap((source) => {
      const code = codeOnly(source.text);
      return forbidden.flatMap(([pattern, remedy]) => {
        const match = pattern.exec(code);
        return match === null
          ? []
          : [
              `${source.path}:${code.slice(0, match.index).split("\n").length}: "${match[0].trim()}" in a pure folder. Remedy: ${remedy}.`,
            ];
      });
    });
}

/** No circles between files, type-only imports included: what goes round can't be understood one file at a time. */
export function circles(tree: readonly Source[]): readonly Finding[] {
  const graph = new Map(
    tree
      .filter(({ path }) => /\.(ts|mjs)$/.test(path))
      .map(
        (source) =>
          [
            source.path,
            importsOf(source)
              .filter((it) => it.isOwn)
              .map((it) => it.target),
          ] as const,
      ),
  );
  const done = new Set<string>();
  const findings: Finding[] = [];
  const visit = (file: string, trail: readonly string[]): void => {
    const start = trail.indexOf(file);
    if (start >= 0) {
      findings.push(
        `${[...trail.slice(start), file].join(" → ")}: a circle. Remedy: move what both need into a file of its own.`,
      );
      return;
    }
    if (done.has(file)) return;
    for (const target of graph.get(file) ?? []) visit(target, [...trail, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return findings;
}

/** DESIGN rule 3: nothing imports examples or tests; only tests import test support. */
export function importsOfTests(tree: readonly Source[]): readonly Finding[] {
  return tree.filter(isProduction).flatMap((source) =>
    importsOf(source)
      .filter(
        ({ target, isOwn }) =>
          isOwn && (/^(test|examples)\//.test(target) || /\.test\.ts$|\/testing(\/|\.ts$)/.test(target)),
      )
      .filter(({ target }) => !(source.path.startsWith("examples/") && /^(examples|test\/support)\//.test(target)))
      .map(
        ({ target }) =>
          `${source.path}: imports ${target}. Remedy: what production needs lives beside it, not in tests or examples.`,
      ),
  );
}

function partOf(file: string, parts: readonly Part[]): Part | undefined {
  return parts.filter(({ folder }) => isBelow(file, folder)).toSorted((a, b) => b.folder.length - a.folder.length)[0];
}

function isBelow(file: string, folder: string): boolean {
  return file === folder || file.startsWith(`${folder}/`);
}
