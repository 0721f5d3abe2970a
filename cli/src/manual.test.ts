import { readFileSync } from "node:fs";
import path from "node:path";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { repositoryRoot } from "../../test/support/program.ts";
import { exit } from "./failure.ts";
import { leavesBelow, manualText, nameOf } from "./manualText.ts";
import { toProgram } from "./program.ts";

const file = path.join(repositoryRoot, "docs/cli.md");
const manual = readFileSync(file, "utf8");
const written: string[] = [];
const terminal = {
  out: (text: string) => void written.push(text),
  err: () => undefined,
  atInterrupt: () => () => undefined,
  now: () => 0,
  input: () => Promise.resolve(new Uint8Array()),
  environment: {},
  colors: { out: false, err: false },
};
const program = toProgram(
  terminal,
  { orchestrator: () => Promise.resolve(), sidecar: () => Promise.resolve(), dev: () => Promise.resolve(exit.ok) },
  () => undefined,
);

/** The line behind "$" of a command's help; empty: there is none. */
function exampleOf(command: Command): string {
  written.length = 0;
  command.outputHelp();
  return /^ {2}\$ (.+)$/m.exec(written.join(""))?.[1] ?? "";
}

// Run with --update, it writes what lies behind the heading.
test("the commands in the manual are those of the command tree", async () => {
  const [before = ""] = manual.split(/(?<=^## Commands\n\n)/m);
  await expect(`${before}${manualText(program, exampleOf)}`).toMatchFileSnapshot(file);
});

test("the manual lists every exit code, and no other", () => {
  const listed = [...manual.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
  expect(listed).toEqual(Object.values(exit));
});

test("each command says what it does, and shows an example of itself", () => {
  const leaves = leavesBelow(program);
  expect(leaves.length).toBeGreaterThan(40);
  expect(leaves.filter((command) => command.description() === "").map(nameOf)).toEqual([]);
  const examples = leaves.map((command) => [nameOf(command), exampleOf(command)] as const);
  expect(examples.filter(([name, example]) => !`${example} `.includes(`${name} `))).toEqual([]);
});
