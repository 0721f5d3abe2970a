import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { repositoryRoot, runProgram } from "../test/support/program.ts";
import { fitVersions as fitVersionsOfProcesses, isFitVersion } from "../runtime/src/natsServer.ts";
import { fitVersions, isFit } from "../bin/natsServer.mjs";
import { debianMirror } from "../bin/privateApt.mjs";

test.each([
  ["2.9.10", false],
  ["2.12.11", false],
  ["2.12.12-RC.1", false],
  ["2.12.12", true],
  ["2.12.99", true],
  ["2.13.0", false],
  ["2.14.2", false],
  ["2.14.3", true],
  ["v2.15.1", true],
  ["3.0.0", true],
  ["latest", false],
  [undefined, false],
])("version %s fits: %s", (version, fits) => {
  expect(isFit(version)).toBe(fits);
  expect(isFitVersion(version ?? "")).toBe(fits);
});

test("what the set-up fetches is what our processes accept, in the same words", () => {
  expect(fitVersions).toBe(fitVersionsOfProcesses);
});

/** An empty home with nats-servers that only tell their version: `files` maps a path in it to that version. */
async function openHome(
  files: Readonly<Record<string, string>>,
): Promise<AsyncDisposable & { readonly folder: string }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-home-"));
  for (const [file, version] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
    await writeFile(path.join(folder, file), `#!/bin/sh\necho "nats-server: v${version}"\n`);
    await chmod(path.join(folder, file), 0o755);
  }
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

/** Runs the search as npm scripts do, with nothing on PATH but what is in `<home>/bin`: neither network nor apt can help. */
function find(home: string, env: Readonly<Record<string, string>> = {}): ReturnType<typeof runProgram> {
  return runProgram({
    name: "natsServer.mjs",
    command: process.execPath,
    args: [path.join(repositoryRoot, "scripts/natsServer.mjs")],
    env: { HOME: home, XDG_CACHE_HOME: undefined, NATS_SERVER: undefined, PATH: path.join(home, "bin"), ...env },
  });
}

const cached = ".cache/sidestep/nats-server";

test("the server named by NATS_SERVER is used", async () => {
  await using home = await openHome({ "bin/nats-server": "2.15.0", "mine/nats-server": "2.14.3" });
  const named = path.join(home.folder, "mine/nats-server");

  expect((await find(home.folder, { NATS_SERVER: named })).stdout).toBe(named);
});

test("an unfit server named by NATS_SERVER is refused with its version and what is needed", async () => {
  await using home = await openHome({ "bin/nats-server": "2.15.0", "mine/nats-server": "2.9.10" });

  const result = await find(home.folder, { NATS_SERVER: path.join(home.folder, "mine/nats-server") });

  expect(result.code).toBe(1);
  expect(result.lines.join("\n")).toMatch(/which is version 2\.9\.10; needed: 2\.12\.12 or later .*\nWhat to do: /);
});

test("a fit one on PATH comes before the cache", async () => {
  await using home = await openHome({ "bin/nats-server": "2.14.3", [`${cached}/2.15.1/nats-server`]: "2.15.1" });

  expect((await find(home.folder)).stdout).toBe(path.join(home.folder, "bin/nats-server"));
});

test("the distribution's old one on PATH is passed over for the newest in the cache", async () => {
  await using home = await openHome({
    "bin/nats-server": "2.9.10",
    [`${cached}/2.14.9/nats-server`]: "2.14.9",
    [`${cached}/2.14.10/nats-server`]: "2.14.10",
  });

  expect((await find(home.folder)).stdout).toBe(path.join(home.folder, cached, "2.14.10/nats-server"));
});

test.each([
  [
    "one-line",
    "sources.list",
    "# deb http://no.example/debian stable main\ndeb http://security.example/debian-security bookworm-security main\ndeb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian/ bookworm main contrib\n",
  ],
  [
    "deb822",
    "sources.list.d/debian.sources",
    "Types: deb\nURIs: http://security.example/debian-security\nSuites: bookworm-security\nComponents: main\n\nTypes: deb\n# by hand\nURIs: http://mirror.example/debian\n http://second.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n",
  ],
])("the machine's Debian mirror is read from %s sources", async (_, file, text) => {
  const etc = await mkdtemp(path.join(os.tmpdir(), "sidestep-apt-"));
  await mkdir(path.join(etc, "sources.list.d"));
  await writeFile(path.join(etc, file), text);

  expect(debianMirror(etc)).toBe("http://mirror.example/debian");
  await rm(etc, { recursive: true });
});

test("without Debian sources the mirror is Debian's own", () => {
  expect(debianMirror("/nowhere")).toBe("http://deb.debian.org/debian");
});
