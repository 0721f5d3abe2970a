import { chmod, cp, mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { nodeFlags } from "../bin/nodeFlags.mjs";
import { repositoryRoot, runProgram, startProgram } from "./support/program.ts";

/** A package as npm leaves it: the launcher, a pinned Node that tells when it is used, and `files`. */
async function openPackage(
  files: Readonly<Record<string, string>>,
): Promise<AsyncDisposable & { readonly folder: string; readonly launcher: string }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-launcher-"));
  await cp(path.join(repositoryRoot, "bin"), path.join(folder, "bin"), { recursive: true });
  const all = {
    "package.json": '{"type":"module"}',
    "node_modules/node/package.json": '{"name":"node","version":"24.0.0"}',
    "node_modules/node/bin/node": `#!/bin/sh\nPINNED=yes exec '${process.execPath}' "$@"\n`,
    ...files,
  };
  for (const [file, text] of Object.entries(all)) {
    await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
    await writeFile(path.join(folder, file), text);
  }
  await chmod(path.join(folder, "node_modules/node/bin/node"), 0o755);
  return {
    folder,
    launcher: path.join(folder, "bin/sidestep.js"),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

/** Runs the launcher from a folder that knows nothing of the package, as a user does. */
function run(launcher: string, args: readonly string[] = []): ReturnType<typeof runProgram> {
  return runProgram({ name: "sidestep", command: process.execPath, args: [launcher, ...args], cwd: os.tmpdir() });
}

const source = "console.log('source', process.env.PINNED, process.argv.slice(2).join(' ')); process.exitCode = 7;";

test("the command runs under the pinned Node, with its arguments, and its exit code comes back", async () => {
  await using installed = await openPackage({ "cli/src/main.ts": source });

  const result = await run(installed.launcher, ["run", "list"]);

  expect(result.stdout).toBe("source yes run list");
  expect(result.code).toBe(7);
});

test("a sidecar's Node has the flags it was measured with, unless NODE_OPTIONS says otherwise; other commands have none", async () => {
  await using installed = await openPackage({ "cli/src/main.ts": "console.log(process.execArgv.join(' '));" });
  const flagsOf = async (command: string, nodeOptions?: string): Promise<string> => {
    const env = { NODE_OPTIONS: nodeOptions };
    const args = [installed.launcher, command];
    return (await runProgram({ name: "sidestep", command: process.execPath, args, env })).stdout;
  };

  expect(await flagsOf("sidecar")).toBe(nodeFlags.sidecar.join(" "));
  expect(await flagsOf("sidecar", "--max-old-space-size=500")).toBe(
    nodeFlags.sidecar.filter((flag) => !flag.startsWith("--max-old")).join(" "),
  );
  expect(await flagsOf("check")).toBe("");
});

test("the Node that is packed for this machine alone comes first, and an older one is passed over", async () => {
  const name = `node_modules/node-${process.platform}-${process.arch}`;
  const installed = async (version: string) => {
    await using folder = await openPackage({
      "cli/src/main.ts": source,
      [`${name}/package.json`]: JSON.stringify({ version }),
      [`${name}/bin/node`]: `#!/bin/sh\nPINNED=own exec '${process.execPath}' "$@"\n`,
    });
    await chmod(path.join(folder.folder, name, "bin/node"), 0o755);
    return (await run(folder.launcher)).stdout;
  };
  expect(await installed("24.1.0")).toBe("source own ");
  expect(await installed("22.1.0")).toBe("source yes ");
});

test("it works through a link, as npm link and a global install make it", async () => {
  await using installed = await openPackage({ "cli/src/main.ts": source });
  const link = path.join(installed.folder, "linked");
  await symlink(installed.launcher, link);

  expect((await run(link)).stdout).toBe("source yes ");
});

test("a bundle is run when it is newer than the sources, else the sources", async () => {
  await using installed = await openPackage({
    "cli/src/main.ts": source,
    "dist/sidestep.js": "console.log('bundle');",
  });
  const at = (file: string, seconds: number): Promise<void> =>
    utimes(path.join(installed.folder, file), seconds, seconds);

  // Files that are written one after the other may have one time.
  await at("dist/sidestep.js", Date.now() / 1_000 + 60);
  expect((await run(installed.launcher)).stdout).toBe("bundle");
  await at("dist/sidestep.js", 500);
  expect((await run(installed.launcher)).stdout).toBe("source yes ");
});

test("an unfinished install says what is missing and what to do", async () => {
  await using installed = await openPackage({});

  const result = await run(installed.launcher);

  expect(result.code).toBe(1);
  expect(result.lines).toEqual([
    "sidestep can't start: it has neither sources nor a bundle.",
    `Where: ${installed.folder}`,
    "What next: run npm install there.",
  ]);
});

test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
  "%s reaches the program, which decides when it is over",
  async (signal) => {
    await using installed = await openPackage({
      "cli/src/main.ts": `process.on("${signal}", () => { console.log("drained"); process.exit(3); }); setInterval(() => {}, 9999); console.log("up");`,
    });
    await using program = await startProgram({
      name: "sidestep",
      command: process.execPath,
      args: [installed.launcher],
      readyLine: /^up$/,
    });

    program.signal(signal);

    expect(await program.ended).toEqual({ code: 3, signal: undefined });
    expect(program.lines).toContain("drained");
  },
);

test("a program that dies of a signal takes the launcher with it by the same signal", async () => {
  await using installed = await openPackage({ "cli/src/main.ts": 'process.kill(process.pid, "SIGKILL");' });
  expect(await run(installed.launcher)).toMatchObject({ code: undefined, signal: "SIGKILL" });
});

test("what it started does not outlive it, not even a kill -9", async () => {
  await using sidecar = await startProgram({
    name: "sidestep",
    command: process.execPath,
    args: [path.join(repositoryRoot, "bin/sidestep.js"), "sidecar", "--service", "127.0.0.1:1", "--admin-port", "0"],
    env: { NATS_URL: "nats://127.0.0.1:1" },
    isAsWritten: true,
    readyLine: /connecting to the service/,
  });
  const [started] = await childrenOf(sidecar.pid);
  if (started === undefined) throw new Error("the launcher started nothing");

  await sidecar.kill9();

  await expect.poll(() => isRunning(started), { timeout: 20_000 }).toBe(false);
});

async function childrenOf(pid: number): Promise<readonly number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text
    .split(" ")
    .filter((it) => it !== "")
    .map(Number);
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
