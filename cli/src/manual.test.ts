import { readFileSync } from "node:fs";
import path from "node:path";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { repositoryRoot } from "../../test/support/program.ts";
import { exit } from "./failure.ts";
import { toProgram } from "./program.ts";

const manual = readFileSync(path.join(repositoryRoot, "docs/cli.md"), "utf8");
const written: string[] = [];
const terminal = {
  out: (text: string) => void written.push(text),
  err: () => undefined,
  atInterrupt: () => () => undefined,
  input: () => Promise.resolve(new Uint8Array()),
  environment: {},
  colors: { out: false, err: false },
};
const program = toProgram(
  terminal,
  { orchestrator: () => Promise.resolve(), sidecar: () => Promise.resolve() },
  () => undefined,
);

function commandsBelow(command: Command, above: string): readonly string[] {
  const name = `${above}${command.name()}`;
  return command.commands.length === 0 ? [name] : command.commands.flatMap((one) => commandsBelow(one, `${name} `));
}

test("the manual lists every command, and no other", () => {
  const listed = [...manual.matchAll(/^\| `(sidestep [a-z ]+?)(?: [[<][^`]*)?` \|/gm)].map(([, name]) => name);
  expect(new Set(listed)).toEqual(new Set(commandsBelow(program, "")));
});

test("the manual lists every exit code, and no other", () => {
  const listed = [...manual.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
  expect(listed).toEqual(Object.values(exit));
});

test("each command says what it does, and shows an example", () => {
  const all = (command: Command): readonly Command[] => [command, ...command.commands.flatMap(all)];
  const leaves = all(program).filter(({ commands }) => commands.length === 0);
  expect(leaves.filter((command) => command.description() === "")).toEqual([]);
  for (const command of leaves) {
    written.length = 0;
    command.outputHelp();
    expect(written.join("")).toContain(
      `$ sidestep ${command.parent === program ? "" : `${command.parent?.name()} `}${command.name()}`,
    );
  }
});
