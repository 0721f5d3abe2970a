import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { freePort } from "../support/freePort.ts";
import { repositoryRoot, startProgram } from "../support/program.ts";
import type { Program } from "../support/program.ts";

// Plays docs/tutorial.md: writes its files, runs its commands, and looks for what it says comes.

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

/** A fenced block: what stands behind the fence, and its text. */
interface Block {
  readonly about: string;
  readonly text: string;
}

const page = await readFile(path.join(repositoryRoot, "docs/tutorial.md"), "utf8");
const blocks: readonly Block[] = [...page.matchAll(/^```(\S.*)\n([\s\S]*?)^```$/gm)].map(
  ([, about = "", text = ""]) => ({ about, text }),
);

interface Shown {
  readonly output: string;
  readonly code: number | null;
}

/** Where it is played, and what has come of it so far. */
interface Stage {
  readonly above: string;
  readonly folder: string;
  readonly command: string;
  readonly address: string;
  readonly environment: Readonly<Record<string, string>>;
  dev: Program | undefined;
  /** Lines of `dev` that were there before the last change. */
  seen: number;
  shown: Shown;
}

test("the tutorial goes as it says", { timeout: 180_000 }, async () => {
  expect(blocks.length).toBeGreaterThan(20);
  const stage = await openStage();
  for (const block of blocks) expect([block.about, await play(block, stage)]).toEqual([block.about, undefined]);
});

async function openStage(): Promise<Stage> {
  const above = await mkdtemp(path.join(os.tmpdir(), "sidestep-tutorial-"));
  closing.defer(() => rm(above, { recursive: true, force: true, maxRetries: 3 }));
  const bin = path.join(above, "bin");
  await mkdir(bin);
  const command = path.join(bin, "sidestep");
  const text = `#!/bin/sh\nexec "${process.execPath}" "${repositoryRoot}/bin/sidestep.js" "$@"\n`;
  await writeFile(command, text, { mode: 0o755 });
  const address = `127.0.0.1:${await freePort()}`;
  const stage: Stage = {
    above,
    folder: path.join(above, "shop"),
    command,
    address,
    environment: { PATH: `${bin}:${process.env["PATH"] ?? ""}`, SIDESTEP_ADDRESS: address },
    dev: undefined,
    seen: 0,
    shown: { output: "", code: 0 },
  };
  closing.defer(async () => void (await stage.dev?.stop()));
  return stage;
}

/** Does what a block says; what is not as it says, else undefined. */
async function play({ about, text }: Block, stage: Stage): Promise<string | undefined> {
  const [kind = "", ...more] = about.split(" ");
  const what = more.join(" ");
  const file = /^file=(.*)$/.exec(what)?.[1];
  if (file !== undefined) return write(path.join(stage.folder, file), text);
  const edited = /^edit=(.*)$/.exec(what)?.[1];
  if (edited !== undefined) return edit(path.join(stage.folder, edited), text, stage);
  switch (`${kind} ${what}`.trim()) {
    case "text":
      return lacking(text, stage.shown.output);
    case "text dev":
      return awaited(text, stage);
    case "sh install":
      // The same packages, from where they are.
      await symlink(path.join(repositoryRoot, "node_modules"), path.join(stage.folder, "node_modules"));
      return undefined;
    case "sh background":
      return startDev(text, stage);
    case "sh":
      return run(text, 0, stage);
    case "sh fails":
      return run(text, 1, stage);
  }
  return "nobody knows how to play this block";
}

async function write(file: string, text: string): Promise<undefined> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text);
}

/** "from → to" */
async function edit(file: string, text: string, stage: Stage): Promise<string | undefined> {
  const [from = "", to = ""] = text.trim().split(" → ");
  const before = await readFile(file, "utf8");
  if (!before.includes(from)) return `${file} has no ${from}`;
  stage.seen = stage.dev?.lines.length ?? 0;
  return write(file, before.replace(from, to));
}

async function startDev(text: string, stage: Stage): Promise<undefined> {
  const [, ...args] = text.trim().split(" ");
  await stage.dev?.stop();
  stage.dev = await startProgram({
    name: "sidestep dev",
    command: stage.command,
    args: [...args, "--listen", stage.address],
    cwd: stage.folder,
    env: stage.environment,
    readyLine: /is ready \(/,
  });
}

async function run(text: string, failures: number, stage: Stage): Promise<string | undefined> {
  // The first one makes the folder.
  stage.shown = await shell(text, existsSync(stage.folder) ? stage.folder : stage.above, stage.environment);
  return Math.min(stage.shown.code ?? 1, 1) === failures ? undefined : `${stage.shown.code}: ${stage.shown.output}`;
}

/** The first line of a text that an output lacks. */
function lacking(text: string, output: string): string | undefined {
  const line = text
    .trim()
    .split("\n")
    .find((one) => !output.includes(one.trim()));
  return line === undefined ? undefined : `no ${JSON.stringify(line)} in ${output}`;
}

async function awaited(text: string, stage: Stage): Promise<undefined> {
  const told = (): string | undefined => lacking(text, stage.dev?.lines.slice(stage.seen).join("\n") ?? "");
  await expect.poll(told, { timeout: 30_000, interval: 50 }).toBeUndefined();
}

function shell(script: string, cwd: string, env: Readonly<Record<string, string>>): Promise<Shown> {
  const child = spawn("bash", ["-ec", script], { cwd, env: { ...process.env, ...env } });
  let output = "";
  child.stdout.on("data", (part) => (output += part));
  child.stderr.on("data", (part) => (output += part));
  return new Promise((resolve) => child.on("close", (code) => resolve({ output, code })));
}
