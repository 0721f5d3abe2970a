import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { Client, credentials } from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "../../../test/support/freePort.ts";
import { repositoryRoot, runProgram } from "../../../test/support/program.ts";
import { runHere } from "../testing.ts";
import { greeter, greeterYaml, helloFile, openTestProject } from "./testing.ts";
import type { RunningDev, TestProject } from "./testing.ts";

const workflow = "hello.v1.HelloWorkflow/Hello";
let project: TestProject;
let dev: RunningDev;

beforeAll(async () => {
  project = await openTestProject({ "greeter.cjs": greeter, "sidestep.yaml": greeterYaml });
  dev = await project.dev();
}, 90_000);

afterAll(async () => {
  await project[Symbol.asyncDispose]();
});

async function exec(id: string, name: string): Promise<unknown> {
  const request = JSON.stringify({ request_id: id, name });
  const { stdout, stderr } = await runHere(["run", "exec", workflow, "--address", dev.address, "-d", request]);
  return stdout === "" ? stderr : JSON.parse(stdout);
}

test("it prints its addresses, what is deployed, and a call that works", async () => {
  const { program } = dev;
  const console = await program.waitForLine(new RegExp(`^ {2}console +http://${dev.address}/console/(?: |$)`));
  const isBuilt = (await fetch(`http://${dev.address}/console/`)).ok;
  expect(console.endsWith(isBuilt ? "/console/" : "  (not built yet: npm run build in Sidestep's folder)")).toBe(true);
  await program.waitForLine(/^ {2}NATS +nats:\/\/127\.0\.0\.1:\d+$/);
  await program.waitForLine(/^ {2}deployed +hello\.v1\.HelloWorkflow\/Hello {2}version 1$/);
  const line = await program.waitForLine(/npx sidestep run exec/);
  const request = /-d '(.*)'$/.exec(line)?.[1] ?? "";
  const answer = await runHere(["run", "exec", workflow, "--address", dev.address, "-d", request]);
  expect(answer).toMatchObject({ code: 0 });
  expect(JSON.parse(answer.stdout)).toEqual({ greeting: expect.stringMatching(/^Hello \w+!$/) });
  expect(line.includes("--address")).toBe(dev.address !== "127.0.0.1:7420");
});

test("a service's output stands behind its name", async () => {
  await exec("said", "Echo");
  expect(await dev.program.waitForLine(/^greeter +│ .*Echo$/)).toBe("greeter      │ greets Echo");
});

test("a save deploys; a mistake is shown where it is, and what was deployed goes on until it is mended", async () => {
  const { program } = dev;
  const before = program.lines.length;
  await project.edit(helloFile, `greet.greeting + "!"`, `greet.greeting + "?"`);
  await program.waitForLine(/^deployed hello\.v1\.HelloWorkflow\/Hello {2}version 2/, { from: before });
  expect(await exec("asked", "Ada")).toEqual({ greeting: "Hello Ada?" });

  await project.edit(helloFile, "greet.greeting +", "greet.greetin +");
  const shown = await program.waitForLine(/hello\.proto:28:29: error: .*has no field 'greetin'/, { from: before });
  const at = program.lines.indexOf(shown);
  await program.waitForLine(/^not deployed; what was deployed goes on$/, { from: at });
  expect(program.lines[at + 2]).toBe("      |                             ^");
  expect(await exec("goes-on", "Ada")).toEqual({ greeting: "Hello Ada?" });

  await project.edit(helloFile, "greet.greetin +", "greet.greeting +");
  await program.waitForLine(/^nothing wrong any more; nothing changed/, { from: at });
});

test("a .proto file in a new folder counts too", async () => {
  const from = dev.program.lines.length;
  await project.write(
    "proto/later/v1/later.proto",
    'syntax = "proto3";\npackage later.v1;\nmessage Later { Gone gone = 1; }\n',
  );
  await dev.program.waitForLine(/later\.proto:3:17: error/, { from });
  await project.write("proto/later/v1/later.proto", 'syntax = "proto3";\npackage later.v1;\nmessage Later {}\n');
  expect(await dev.program.waitForLine(/^nothing wrong/, { from })).toContain("any more; nothing changed");
});

test("a service that dies is started again, and what it was asked is asked again", async () => {
  const from = dev.program.lines.length;
  const dying = exec("dying", "death");
  await dev.program.waitForLine(/^greeter +│ ended with code 3; it is started again in \d+ m?s$/, { from });
  await dev.program.waitForLine(/^greeter +│ greets at/, { from });
  expect(await dying).toEqual({ greeting: "Hello death?" });
});

test("a change of sidestep.yaml starts that service anew; a mistake in it leaves all as it is", async () => {
  const from = dev.program.lines.length;
  await project.write("sidestep.yaml", greeterYaml.replace("name:", "nam:"));
  await dev.program.waitForLine(/sidestep\.yaml:2:5: error: a service has no 'nam'/, { from });
  await dev.program.waitForLine(/^services go on as they were$/, { from });
  await project.write("sidestep.yaml", greeterYaml.replace("Hello", "Good evening"));
  await dev.program.waitForLine(/^greeter +│ greets at/, { from });
  expect(await exec("evening", "Ada")).toEqual({ greeting: "Good evening Ada?" });
});

test("a warning is shown when it comes, and not again at a save that has nothing to do with it", async () => {
  await project.edit(helloFile, "on_doubt: RETRY", "");
  await dev.program.waitForLine(/SIDESTEP1506/);
  const from = dev.program.lines.length;
  await dev.program.waitForLine(/^deployed/, { from: from - 1 });
  await project.write("sidestep.yaml", greeterYaml.replace("Hello", "Good night"));
  await dev.program.waitForLine(/^greeter +│ greets at/, { from });
  const again = dev.program.lines.length;
  await project.write("sidestep.yaml", greeterYaml.replace("Hello", "Good evening"));
  await dev.program.waitForLine(/^greeter +│ greets at/, { from: again });
  expect(dev.program.lines.slice(from).filter((line) => line.includes("SIDESTEP1506"))).toEqual([]);
});

test("a service with listen calls workflows at its own sidecar", async () => {
  const at = `127.0.0.1:${await freePort()}`;
  const yaml = `${greeterYaml}    listen: ${at}\n`;
  await using other = await openTestProject({ "greeter.cjs": greeter, "sidestep.yaml": yaml });
  await other.dev();
  const client = new Client(at, credentials.createInsecure());
  const raw = (bytes: Buffer): Buffer => bytes;
  const request = Buffer.from("\n\u0001x\u0012\u0003Ada");
  const answer = await new Promise<Buffer | undefined>((resolve, reject) => {
    client.makeUnaryRequest("/hello.v1.HelloWorkflow/Hello", raw, raw, request, (error, bytes) =>
      error === null ? resolve(bytes) : reject(error),
    );
  });
  client.close();
  expect(answer?.toString("latin1")).toContain("Hello Ada!");
});

test("what is saved while it starts is deployed, too", async () => {
  await using early = await openTestProject({ "greeter.cjs": greeter, "sidestep.yaml": greeterYaml });
  const starting = early.dev();
  // By then the contracts are being read, or have been.
  const log = path.join(early.folder, ".sidestep/dev/logs/orchestrator.log");
  await expect.poll(() => existsSync(log), { timeout: 30_000, interval: 5 }).toBe(true);
  await early.edit(helloFile, '"!"', '" at last"');
  const { address } = await starting;
  let tries = 0;
  const asked = async (): Promise<string> => {
    const request = JSON.stringify({ request_id: `early-${++tries}`, name: "Ada" });
    return (await runHere(["run", "exec", workflow, "--address", address, "-d", request])).stdout;
  };
  await expect.poll(asked, { timeout: 20_000 }).toContain("Hello Ada at last");
});

test("a service that misses packages says so, and is started at once when they have been installed", async () => {
  const word = { name: "word", version: "1.0.0", main: "index.js" };
  await using bare = await openTestProject({
    "word/package.json": JSON.stringify(word),
    "word/index.js": 'module.exports = "Hello";',
    "package.json": JSON.stringify({ private: true, dependencies: { word: "file:word" } }),
    "greeter.cjs": `process.env.WORD = require("word");${greeter}`,
    "sidestep.yaml": greeterYaml,
  });
  const { program } = await bare.dev();
  // By then it would wait for four seconds.
  await program.waitForLine(/^greeter +│ ended with code 1; it is started again in 4 s; run `npm install` in \S+, and/);
  const from = program.lines.length;
  const npm = { name: "npm", command: "npm", args: ["install", "--offline", "--no-audit", "--no-fund"] };
  expect(await runProgram({ ...npm, cwd: bare.folder })).toMatchObject({ code: 0 });
  await program.waitForLine(/^greeter +│ greets at/, { from });
});

test("a second one in the same folder is refused", async () => {
  const second = await runProgram({
    name: "second",
    command: process.execPath,
    args: [path.join(repositoryRoot, "bin/sidestep.js"), "dev", project.folder],
  });
  expect(second.code).toBe(1);
  expect(second.lines.join("\n")).toMatch(
    /Error: another sidestep dev works here: process \d+\nWhere: .*\.sidestep\/dev\n/,
  );
});

test("ports that are taken are said, and others chosen; kill -9 of it ends all that it has started", async () => {
  await using held = await hold([7420, 4222]);
  await using other = await openTestProject({ "greeter.cjs": greeter, "sidestep.yaml": greeterYaml });
  const { program, address } = await other.dev();
  expect(held.count).toBeLessThanOrEqual(2);
  await program.waitForLine(/^port 7420 is taken: the orchestrator listens on \d+$/);
  await program.waitForLine(/^port 4222 is taken: NATS listens on \d+$/);
  expect(address).not.toBe("127.0.0.1:7420");
  // A shell that watches, nats-server, orchestrator, the service and its shell, a sidecar.
  expect((await other.processes()).length).toBeGreaterThanOrEqual(5);

  await program.kill9();

  await expect.poll(() => other.processes(), { timeout: 20_000 }).toEqual([]);
});

test.each(["SIGTERM", "SIGINT", "SIGHUP"] as const)(
  "%s ends it with all that it has started; the next start goes on",
  async (signal) => {
    const { program } = dev;
    program.signal(signal);
    expect(await program.ended).toEqual({ code: 0, signal: undefined });
    expect(await project.processes()).toEqual([]);
    dev = await project.dev(signal === "SIGHUP" ? ["--reset"] : []);
    // What ended is the answer of its key, unless the data is gone.
    const word = signal === "SIGHUP" ? "Good evening Ada?" : "Hello Ada?";
    expect(await exec("asked", "Ada")).toEqual({ greeting: word });
  },
);

test("a sidestep.yaml that can't be used is told with its place before anything runs", async () => {
  await using wrong = await openTestProject({ "sidestep.yaml": "services:\n  - name: a b\n    port: 1\n" });
  const args = [path.join(repositoryRoot, "bin/sidestep.js"), "dev", wrong.folder];
  const { code, lines } = await runProgram({ name: "dev", command: process.execPath, args });
  expect(code).toBe(10);
  expect(lines.join("\n")).toContain(`${wrong.folder}/sidestep.yaml:2:11: error: 'a b' can't stand here`);
  expect(lines.join("\n")).toContain(`${wrong.folder}/sidestep.yaml:3:5: error: a service has no 'port'`);
});

/** Listens on ports, unless somebody does already. */
async function hold(ports: readonly number[]): Promise<AsyncDisposable & { readonly count: number }> {
  const servers = await Promise.all(
    ports.map(async (port) => {
      const server = createServer();
      const listening = once(server, "listening").then(
        () => [server],
        () => [],
      );
      server.listen(port, "127.0.0.1");
      return listening;
    }),
  );
  const all = servers.flat();
  return {
    count: all.length,
    [Symbol.asyncDispose]: async () => {
      for (const server of all) await new Promise((resolve) => server.close(resolve));
    },
  };
}
