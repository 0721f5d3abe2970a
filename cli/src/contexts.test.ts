import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { repositoryRoot, startNode, startProgram } from "../../test/support/program.ts";
import type { Program } from "../../test/support/program.ts";

let home = "";
beforeEach(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), "sidestep-contexts-"));
  await mkdir(path.join(home, "sidestep"));
  execFileSync("mkfifo", [path.join(home, "go")]);
});
afterEach(() => rm(home, { recursive: true }));

/** A command that has read the contexts, says so, and adds one of that name when somebody writes to the pipe `go`. */
async function changing(name: string): Promise<Program> {
  const file = path.join(home, "sidestep/contexts.json");
  const code = `
    import { readFileSync, writeSync } from "node:fs";
    import { changeContexts } from ${JSON.stringify(path.join(repositoryRoot, "cli/src/contexts.ts"))};
    await changeContexts(${JSON.stringify(file)}, { err: () => {} }, ({ contexts, current }) => {
      writeSync(1, "has read\\n");
      readFileSync(${JSON.stringify(path.join(home, "go"))});
      return { current, contexts: { ...contexts, ${name}: { address: "${name}:1" } } };
    });`;
  return startProgram({
    name: `changes ${name}`,
    command: process.execPath,
    args: ["--input-type=module", "-e", code],
    readyLine: /has read/,
  });
}

/** `context add`, as a process of its own, which has found that another one changes the contexts. */
function adding(name: string): Promise<Program> {
  return startNode("bin/sidestep.js", {
    args: ["context", "add", name, "--address", `${name}:1`],
    env: { XDG_CONFIG_HOME: home },
    readyLine: /another command is changing the contexts; this one waits for it/,
  });
}

async function names(): Promise<readonly string[]> {
  const text = await readFile(path.join(home, "sidestep/contexts.json"), "utf8");
  return Object.keys(JSON.parse(text).contexts).toSorted();
}

test("of two commands that change the contexts at the same time neither loses what it did", async () => {
  await using first = await changing("a");
  await using second = await adding("b");
  await writeFile(path.join(home, "go"), "");
  expect([await first.ended, await second.ended]).toMatchObject([{ code: 0 }, { code: 0 }]);
  expect(await names()).toEqual(["a", "b"]);
});

test("a command that dies while it changes the contexts keeps nobody from changing them", async () => {
  await using first = await changing("a");
  await using second = await adding("b");
  await first.kill9();
  expect(await second.ended).toMatchObject({ code: 0 });
  expect(await names()).toEqual(["b"]);
});
