import { expect, test } from "vitest";
import { architecture } from "./architecture.ts";
import { brokenArrows, circles, importsOfTests, impurities } from "./arrows.ts";
import { bannedNames } from "./names.ts";
import { withoutComments } from "./source.ts";
import type { Finding, Source } from "./source.ts";
import {
  deadLinks,
  defaultBranches,
  longFiles,
  machinePaths,
  sleepsInTests,
  typesGivenUp,
  undocumentedCodes,
  undocumentedExports,
  unfinished,
} from "./text.ts";

type Rule = (tree: readonly Source[]) => readonly Finding[];
const arrows: Rule = (tree) => brokenArrows(tree, architecture);
const purity: Rule = (tree) => impurities(tree, architecture);
const links: Rule = (tree) => deadLinks(tree, (file) => tree.some((it) => it.path === file));

/** A breach of each rule, and the words of the finding that must name it. */
const breaches: readonly (readonly [breach: string, rule: Rule, path: string, text: string, finding: string])[] = [
  [
    "the engine imports the loop",
    arrows,
    "orchestrator/src/engine/fold.ts",
    'import { a } from "../processor/loop.ts";',
    "processor/loop.ts",
  ],
  [
    "the engine imports NATS",
    arrows,
    "orchestrator/src/engine/fold.ts",
    'import { a } from "@nats-io/jetstream";',
    "@nats-io/jetstream",
  ],
  ["the engine imports Node", arrows, "orchestrator/src/engine/fold.ts", 'import fs from "node:fs";', "node:fs"],
  [
    "the engine parses expressions itself",
    arrows,
    "orchestrator/src/engine/fold.ts",
    'import { parse } from "@bufbuild/cel";',
    "@bufbuild/cel",
  ],
  [
    "one adapter imports another",
    arrows,
    "orchestrator/src/grpc/ingress.ts",
    'import { a } from "../nats/log.ts";',
    "nats/log.ts",
  ],
  [
    "an adapter calls the loop",
    arrows,
    "orchestrator/src/nats/log.ts",
    'import {\n  a,\n  b,\n} from "../processor/loop.ts";',
    "processor/loop.ts",
  ],
  [
    "the loop imports an adapter lazily",
    arrows,
    "orchestrator/src/processor/loop.ts",
    'const log = await import("../nats/log.ts");',
    "nats/log.ts",
  ],
  [
    "the sidecar imports the orchestrator",
    arrows,
    "sidecar/src/core/outcome.ts",
    'export { a } from "../../../orchestrator/src/engine/fold.ts";',
    "engine/fold.ts",
  ],
  ["a folder nobody planned", arrows, "orchestrator/helpers/a.ts", "", "belongs to no part"],
  ["the engine waits", purity, "orchestrator/src/engine/fold.ts", "\n\nconst a = async () => 1;", "fold.ts:3"],
  ["the engine reads the clock", purity, "orchestrator/src/engine/fold.ts", "const a = Date.now();", "Date.now"],
  ["the checker throws dice", purity, "orchestrator/src/compile/a.ts", "const a = Math.random();", "Math.random"],
  [
    "the engine sorts by locale",
    purity,
    "orchestrator/src/engine/fold.ts",
    "const a = b.localeCompare(c);",
    "localeCompare",
  ],
  ["the sidecar's core remembers", purity, "sidecar/src/core/a.ts", "let seen = 0;", "state of its own"],
  ["a file imports itself in a circle", circles, "proto/wire/a.ts", 'import type { A } from "./a.ts";', "a circle"],
  [
    "production imports a test",
    importsOfTests,
    "runtime/src/a.ts",
    'import { startNats } from "../../test/support/nats.ts";',
    "test/support/nats.ts",
  ],
  ["a file of utils", bannedNames, "runtime/src/stringUtils.ts", "", 'file name stringUtils says "util"'],
  ["a file of types", bannedNames, "runtime/src/types.ts", "", 'says "types"'],
  ["a barrel", bannedNames, "runtime/src/index.ts", "", "there are no barrels"],
  ["an exported manager", bannedNames, "runtime/src/a.ts", "\nexport class RunManager {}", "a.ts:2"],
  ["an exported async function", bannedNames, "runtime/src/a.ts", "export async function startJobs() {}", 'says "job"'],
  [
    "a message named for another system",
    bannedNames,
    "proto/sidestep/v1/a.proto",
    "message ActivityTask {}",
    "ActivityTask",
  ],
  ["a field", bannedNames, "proto/sidestep/v1/a.proto", "message A {\n  repeated bytes raw_data = 1;\n}", "raw_data"],
  ["a value of an enum", bannedNames, "proto/sidestep/v1/a.proto", "enum A {\n  JOB_DONE = 1;\n}", "JOB_DONE"],
  ["a metric", bannedNames, "runtime/src/a.ts", 'meter.createCounter("sidestep.jobs");', "sidestep.jobs"],
  ["a command", bannedNames, "cli/src/a.ts", 'program.command("instance <id>")', "instance"],
  ["an option", bannedNames, "cli/src/a.ts", 'program.option("--data <json>", "the request")', "--data"],
  ["401 lines", longFiles, "runtime/src/a.ts", "const a = 1;\n".repeat(401), "401 lines"],
  [
    "a default over our kinds",
    defaultBranches,
    "runtime/src/a.ts",
    "switch (state.kind) { case 1: { break; } default: return 1; }",
    "default branch",
  ],
  [
    "a default over a oneof",
    defaultBranches,
    "runtime/src/a.ts",
    "switch (event.body?.$case) {\n  default:\n}",
    "default branch",
  ],
  ["work put off", unfinished, "runtime/src/a.ts", "// TODO later", "TODO"],
  ["a test switched off", unfinished, "runtime/src/a.test.ts", 'test.skip("a", () => {});', "test.skip"],
  ["a silenced tool", typesGivenUp, "runtime/src/a.ts", "// oxlint-disable-next-line no-console", "oxlint-disable"],
  ["an unchecked cast", typesGivenUp, "runtime/src/a.ts", "const a = b as unknown as C;", "as unknown as"],
  [
    "an export without a word",
    undocumentedExports,
    "runtime/src/a.ts",
    "const b = 1;\n\nexport function a() {}",
    "a.ts:3",
  ],
  [
    "a test that sleeps",
    sleepsInTests,
    "runtime/src/a.test.ts",
    "await new Promise((it) => setTimeout(it, 100));",
    "sleeps",
  ],
  ["a link to nowhere", links, "docs/a.md", "see [b](b.md)", "docs/a.md:1"],
  ["a link to no heading", links, "docs/a.md", "# Here\n[there](#there)", "no heading #there"],
  [
    "a code nobody explains",
    undocumentedCodes,
    "orchestrator/src/compile/a.ts",
    'export type ACode =\n  | "LOST_NAME";',
    "LOST_NAME",
  ],
  ["a path of one machine", machinePaths, "docs/a.md", "lies in /home/me/sidestep/x", "/home/me/"],
];

test.each(breaches)("%s is found", (_, rule, path, text, finding) => {
  const findings = rule([{ path, text }]);
  expect(findings).toHaveLength(1);
  expect(findings[0]).toContain(finding);
  expect(findings[0]).toContain("Remedy: ");
});

/** What the rules must leave alone. */
const innocent: readonly (readonly [what: string, rule: Rule, path: string, text: string])[] = [
  ["types of a port", arrows, "orchestrator/src/nats/log.ts", 'import type { LogPort } from "../processor/ports.ts";'],
  [
    "a comment about waiting",
    purity,
    "orchestrator/src/engine/fold.ts",
    "// Nothing is async here, and Date.now() is not called.\nconst a = 1;",
  ],
  ["a string about waiting", purity, "orchestrator/src/engine/fold.ts", 'const a = "await the timer";'],
  [
    "an engine file that imports its neighbours",
    arrows,
    "orchestrator/src/engine/fold.ts",
    'import { a } from "./state.ts";\nimport { b } from "../../../proto/gen/a.ts";',
  ],
  ["a processor", bannedNames, "orchestrator/src/processor/processor.ts", "export function openProcessor() {}"],
  [
    "a banned word in a comment of a proto",
    bannedNames,
    "proto/sidestep/v1/a.proto",
    "// The process exits.\nmessage A {}",
  ],
  ["a default over what is not ours", defaultBranches, "runtime/src/a.ts", "switch (typeof a) { default: return 1; }"],
  [
    "a default inside of a switch's case",
    defaultBranches,
    "runtime/src/a.ts",
    "switch (a.kind) { case 1: { const b = { default: 1 }; } }",
  ],
  ["a link in a fence", links, "docs/a.md", "```\n[b](b.md)\n```"],
  ["a heading with code in it", links, "docs/a.md", "## The `run` step\n[there](#the-run-step)"],
  ["a gRPC status", undocumentedCodes, "orchestrator/src/grpc/a.ts", 'const a = { code: "INVALID_ARGUMENT" };'],
];

test.each(innocent)("%s is left alone", (_, rule, path, text) => {
  expect(rule([{ path, text }])).toEqual([]);
});

test("taking comments away leaves addresses in strings and the lines as they are", () => {
  const text = 'const a = "http://b"; // gone\n/* gone\n */ const c = 1;';
  expect(withoutComments(text)).toBe(
    `const a = "http://b"; ${" ".repeat(7)}\n${" ".repeat(7)}\n${" ".repeat(3)} const c = 1;`,
  );
});
