import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import type { Command } from "commander";
import { expect, test } from "vitest";
import { exit } from "../cli/src/failure.ts";
import { toProgram } from "../cli/src/program.ts";
import { repositoryRoot } from "./support/program.ts";

const text = readFileSync(path.join(repositoryRoot, "docs/features.md"), "utf8");
const rows = [...text.matchAll(/^\| (\w+) \| (.+?) \| (\w+) \| (.+) \|$/gm)].map(
  ([, id = "", line = "", state = "", seenBy = ""]) => ({ id, line, state, seenBy }),
);
const terminal = {
  out: () => undefined,
  err: () => undefined,
  atInterrupt: () => () => undefined,
  now: () => 0,
  input: () => Promise.resolve(new Uint8Array()),
  environment: {},
  colors: { out: false, err: false },
};
const nothing = () => Promise.resolve();
const programs = { orchestrator: nothing, sidecar: nothing, dev: () => Promise.resolve(exit.ok) };
const program = toProgram(terminal, programs, () => undefined);
const codes = rows.flatMap(({ id, seenBy }) =>
  [...seenBy.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => ({ id, code })),
);

test("each line has an id of its own, a state, and something to see it by; what is not whole says what lacks", () => {
  expect(rows.length).toBe(62);
  expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
  for (const { id, state, seenBy } of rows) {
    expect(["yes", "partly", "no"], id).toContain(state);
    expect(seenBy, id).toMatch(
      state === "yes" ? /`|\]\(/ : /[Nn]o |[Nn]ot |lack|but |last|asks|left|latest|[Cc]an't|ran|[0-9.]+ s/,
    );
  }
});

test("each file that a line names is there", () => {
  const files = codes.filter(({ code }) => /^[\w./-]+\.ts$/.test(code));
  expect(files.length).toBeGreaterThan(50);
  expect(files.filter(({ code }) => !existsSync(path.join(repositoryRoot, code)))).toEqual([]);
});

test("each command that a line names is one, with the options that it is shown with", () => {
  const { scripts } = JSON.parse(readFileSync(path.join(repositoryRoot, "package.json"), "utf8")) as {
    readonly scripts: Readonly<Record<string, string>>;
  };
  const wrong = codes.flatMap(({ id, code }) => {
    const [first = "", ...words] = code.split(/\s+/);
    if (first === "npm") return scripts[words[1] ?? ""] === undefined ? [`${id}: ${code}`] : [];
    return first === "sidestep" && !isCommand(words) ? [`${id}: ${code}`] : [];
  });
  expect(wrong).toEqual([]);
});

function isCommand(words: readonly string[]): boolean {
  let command: Command = program;
  for (const [at, word] of words.entries()) {
    const next = command.commands.find((one) => one.name() === word);
    if (next === undefined) {
      const flags = words.slice(at).filter((one) => one.startsWith("-"));
      const isArgument = command.commands.length === 0;
      return (
        isArgument && flags.every((flag) => command.options.some(({ long, short }) => long === flag || short === flag))
      );
    }
    command = next;
  }
  return command.commands.length === 0;
}
