import path from "node:path";
import { at, isTest, withoutComments } from "./source.ts";
import type { Finding, Source } from "./source.ts";

/** DESIGN §8: words that say nothing, or that other systems use for what has its own word here. */
export const bannedWords: Readonly<Record<string, string>> = {
  job: "task",
  activity: "step, or attempt",
  activities: "steps, or attempts",
  instance: "run",
  execution: "run, or attempt",
  process: "what it does: orchestrator, sidecar, processor",
  handler: "what it does with what it gets",
  manager: "what it owns or decides",
  util: "the noun or verb of what it holds",
  helper: "the noun or verb of what it holds",
  common: "the noun or verb of what it holds",
  data: "what it is: payload, bytes, request",
  info: "what it tells",
};
const bannedFiles: Readonly<Record<string, string>> = {
  ...bannedWords,
  misc: "the noun or verb of what it holds",
  types: "the noun of what it describes",
  index: "a noun or verb: there are no barrels",
};

/** Names that others gave: google.rpc's error details and status codes, repeated in our protos because the wire has them; and the flag that servers have for where they keep things. */
const imposedNames = /ErrorInfo|RetryInfo|DATA_LOSS|--data-dir/g;

/** Files, exported names, protos, metrics and commands of ours say nothing in a banned word. */
export function bannedNames(tree: readonly Source[]): readonly Finding[] {
  return tree.flatMap((source) => [
    ...inFileName(source),
    ...inExports(source),
    ...inProto(source),
    ...inMetricsAndCommands(source),
  ]);
}

function inFileName({ path: file }: Source): readonly Finding[] {
  if (!/\.(ts|mjs|js|cjs|py|proto|md)$/.test(file)) return [];
  return complaints(path.basename(file).replace(/\..*$/, ""), bannedFiles, file, "file name");
}

function inExports(source: Source): readonly Finding[] {
  if (!/\.(ts|mjs)$/.test(source.path) || isTest(source.path)) return [];
  const text = withoutComments(source.text);
  const declared = text.matchAll(
    /^export\s+(?:declare\s+)?(?:async\s+)?(?:abstract\s+)?(?:function\*?|const|let|class|type|interface)\s+(\w+)/gm,
  );
  return [...declared].flatMap((match) => complaints(match[1] ?? "", bannedWords, at(source, match.index), "export"));
}

function inProto(source: Source): readonly Finding[] {
  if (!/^proto\/.*\.proto$/.test(source.path)) return [];
  const text = withoutComments(source.text);
  const patterns = [
    /\b(?:message|enum|service|rpc|oneof|package)\s+([\w.]+)/g,
    /^\s*(?:optional |repeated )?(?:map<[^>]+>|[\w.]+)\s+(\w+)\s*=\s*\d+/gm,
    /^\s*([A-Z][A-Z0-9_]*)\s*=\s*\d+/gm,
  ];
  return patterns.flatMap((pattern) =>
    [...text.matchAll(pattern)].flatMap((match) =>
      complaints(match[1] ?? "", bannedWords, at(source, match.index), "name in a proto"),
    ),
  );
}

function inMetricsAndCommands(source: Source): readonly Finding[] {
  if (!source.path.endsWith(".ts") || isTest(source.path)) return [];
  const text = withoutComments(source.text);
  const patterns: readonly (readonly [RegExp, string])[] = [
    [/"(sidestep[._][a-z0-9_.]+)"/g, "metric or attribute"],
    [/\.command\(\s*"([^"]+)"/g, "command"],
    [/\.(?:option|requiredOption)\(\s*"([^"]+)"|new Option\(\s*"([^"]+)"/g, "option"],
  ];
  return patterns.flatMap(([pattern, what]) =>
    [...text.matchAll(pattern)].flatMap((match) =>
      complaints(match[1] ?? match[2] ?? "", bannedWords, at(source, match.index), what),
    ),
  );
}

function complaints(
  name: string,
  banned: Readonly<Record<string, string>>,
  where: string,
  what: string,
): readonly Finding[] {
  return toWords(name.replace(imposedNames, " "))
    .map((word) => (banned[word] === undefined && word.endsWith("s") ? word.slice(0, -1) : word))
    .filter((word) => Object.hasOwn(banned, word))
    .map((word) => `${where}: the ${what} ${name} says "${word}". Remedy: say ${banned[word]} (DESIGN §8).`);
}

/** StepFailed, step_failed, step-failed, STEP_FAILED → step, failed. */
function toWords(name: string): readonly string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "");
}
