import { spawn } from "node:child_process";
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
const patience = { timeout: 30_000, interval: 50 };

interface Shown {
  readonly output: string;
  readonly code: number | null;
}

test("the tutorial goes as it says", { timeout: 180_000 }, async () => {
  const above = await mkdtemp(path.join(os.tmpdir(), "sidestep-tutorial-"));
  closing.defer(() => rm(above, { recursive: true, force: true, maxRetries: 3 }));
  const folder = path.join(above, "shop");
  const bin = path.join(above, "bin");
  await mkdir(bin);
  const command = `#!/bin/sh\nexec "${process.execPath}" "${repositoryRoot}/bin/sidestep.js" "$@"\n`;
  await writeFile(path.join(bin, "sidestep"), command, { mode: 0o755 });
  const address = `127.0.0.1:${await freePort()}`;
  const environment = { PATH: `${bin}:${process.env["PATH"] ?? ""}`, SIDESTEP_ADDRESS: address };
  let dev: Program | undefined;
  closing.defer(() => dev?.kill9().then(() => undefined));
  let seen = 0;
  let shown: Shown = { output: "", code: 0 };
  let played = 0;
  for (const { about, text } of blocks) {
    const [kind = "", ...more] = about.split(" ");
    const what = more.join(" ");
    const file = /^file=(.*)$/.exec(what)?.[1];
    const edited = /^edit=(.*)$/.exec(what)?.[1];
    if (file !== undefined) {
      await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
      await writeFile(path.join(folder, file), text);
    } else if (edited !== undefined) {
      const [from = "", to = ""] = text.trim().split(" → ");
      const before = await readFile(path.join(folder, edited), "utf8");
      expect(before).toContain(from);
      seen = dev?.lines.length ?? 0;
      await writeFile(path.join(folder, edited), before.replace(from, to));
    } else if (kind === "text" && what === "dev") {
      for (const line of text.trim().split("\n"))
        await expect.poll(() => dev?.lines.slice(seen).join("\n"), patience).toContain(line);
    } else if (kind === "text") {
      for (const line of text.trim().split("\n")) expect(shown.output).toContain(line.trim());
    } else if (what === "install") {
      // The same packages, from where they are.
      await symlink(path.join(repositoryRoot, "node_modules"), path.join(folder, "node_modules"));
    } else if (what === "background") {
      const [, ...args] = text.trim().split(" ");
      await dev?.stop();
      dev = await startProgram({
        name: "sidestep dev",
        command: path.join(bin, "sidestep"),
        args: [...args, "--listen", address],
        cwd: folder,
        env: environment,
        readyLine: /is ready \(/,
      });
    } else {
      expect([kind, about]).toEqual(["sh", what === "fails" ? "sh fails" : "sh"]);
      shown = await shell(text, played === 0 ? above : folder, environment);
      expect([text, shown.output, shown.code === 0]).toEqual([text, shown.output, what !== "fails"]);
    }
    played++;
  }
  expect(played).toBeGreaterThan(20);
  await dev?.stop();
});

function shell(script: string, cwd: string, env: Readonly<Record<string, string>>): Promise<Shown> {
  const child = spawn("bash", ["-ec", script], { cwd, env: { ...process.env, ...env } });
  let output = "";
  child.stdout.on("data", (part) => (output += part));
  child.stderr.on("data", (part) => (output += part));
  return new Promise((resolve) => child.on("close", (code) => resolve({ output, code })));
}
