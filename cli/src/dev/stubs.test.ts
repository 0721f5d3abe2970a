import { existsSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { repositoryRoot, runProgram } from "../../../test/support/program.ts";
import { runHere } from "../testing.ts";
import { buildImage } from "../buildImage.ts";
import { loadStubs } from "../stub/loadStubs.ts";
import { openStubServer } from "../stub/stubServer.ts";
import { helloFile, openTestProject } from "./testing.ts";
import type { RunningDev, TestProject } from "./testing.ts";

const workflow = "hello.v1.HelloWorkflow/Hello";
const fixtures = `greeting.v1.GreetingService/Greet:
  match: { name: Ada }
  answer: { greeting: Good morning }
`;
const yaml = "stubs:\n  - service: greeting.v1.GreetingService\n    fixtures: fixtures.yaml\n";
let project: TestProject;
let dev: RunningDev;

beforeAll(async () => {
  project = await openTestProject({ "sidestep.yaml": yaml, "fixtures.yaml": fixtures });
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

test("a stubbed service answers through a sidecar, from its fixtures and with what is made up", async () => {
  await dev.program.waitForLine(/^ {2}stub +greeting\.v1\.GreetingService$/);
  expect(await exec("1", "Ada")).toEqual({ greeting: "Good morning!" });
  expect(await exec("2", "Grace")).toEqual({ greeting: expect.stringMatching(/^greeting-\w+!$/) });
  // Sidecars say every ten seconds what they are.
  const listed = async (): Promise<string> => (await runHere(["sidecar", "list", "--address", dev.address])).stdout;
  await expect.poll(listed, { timeout: 25_000 }).toContain("greeting.v1.GreetingService");
});

test("fixtures that are saved answer from then on; what does not fit is shown, and the old ones go on", async () => {
  const from = dev.program.lines.length;
  await project.write("fixtures.yaml", fixtures.replace("greeting:", "greting:"));
  await dev.program.waitForLine(/fixtures\.yaml:3:13: error: greeting\.v1\.GreetResponse has no field 'greting'/, {
    from,
  });
  await dev.program.waitForLine(/^stubs answer as they did$/, { from });
  expect(await exec("3", "Ada")).toEqual({ greeting: "Good morning!" });
  await project.write("fixtures.yaml", fixtures.replace("morning", "evening"));
  let answered: unknown;
  for (let at = 0; at < 50 && JSON.stringify(answered) !== '{"greeting":"Good evening!"}'; at++)
    answered = await exec(`4-${at}`, "Ada");
  expect(answered).toEqual({ greeting: "Good evening!" });
});

test("a contract that changes is answered by what it is now", async () => {
  const from = dev.program.lines.length;
  await project.edit(
    "proto/greeting/v1/greeting.proto",
    "string greeting = 1;",
    "string greeting = 1;\n  string mood = 2;",
  );
  await project.edit("proto/hello/v1/hello.proto", `greet.greeting + "!"`, "greet.mood");
  await dev.program.waitForLine(/^deployed hello.*version/, { from });
  expect(await exec("5", "Grace")).toEqual({ greeting: expect.stringMatching(/^mood-/) });
  expect(dev.program.lines.slice(from).filter((line) => line.includes("is away"))).toEqual([]);
});

test("a stub for a service that no contract has is refused before anything runs, with its place or its flag", async () => {
  await using wrong = await openTestProject({ "sidestep.yaml": "stubs:\n  - greeting.v1.GreetingServic\n" });
  const run = (...args: readonly string[]): ReturnType<typeof runProgram> =>
    runProgram({
      name: "dev",
      command: process.execPath,
      args: [path.join(repositoryRoot, "bin/sidestep.js"), "dev", wrong.folder, ...args],
    });
  const { code, lines } = await run();
  expect(code).toBe(10);
  expect(lines.join("\n")).toMatch(
    /sidestep\.yaml:2:5: error: no contract has the service greeting\.v1\.GreetingServic\n/,
  );
  expect(lines.join("\n")).toContain("hint: did you mean 'greeting.v1.GreetingService'?");
  await wrong.write("sidestep.yaml", "");
  const flagged = await run("--stub", "shop.v1.Shop");
  expect(flagged.code).toBe(10);
  expect(flagged.lines.join("\n")).toContain("--stub shop.v1.Shop: no contract has the service shop.v1.Shop");
  expect(await wrong.processes()).toEqual([]);
});

test("what is wrong from the beginning is shown, and deployed and answered for once it is mended", async () => {
  await using late = await openTestProject({ "sidestep.yaml": yaml, "fixtures.yaml": fixtures });
  await late.edit(helloFile, "greet.greeting", "greet.greetin");
  const { program, address } = await late.dev();
  await program.waitForLine(/hello\.proto:28:29: error: .*has no field 'greetin'/);
  await program.waitForLine(/^not deployed; nothing is deployed yet$/);
  await program.waitForLine(/^No workflow is deployed yet: save one, and it is\.$/);
  await late.edit(helloFile, "greet.greetin", "greet.greeting");
  await program.waitForLine(/^deployed hello\.v1\.HelloWorkflow\/Hello {2}version 1/);
  const request = JSON.stringify({ request_id: "late", name: "Ada" });
  const answer = await runHere(["run", "exec", workflow, "--address", address, "-d", request]);
  expect(answer.stdout).toContain("Good morning!");
});

test("--service puts a sidecar beside what runs already", async () => {
  const built = await buildImage(project.folder);
  if (built.kind !== "built") throw new Error("the contract does not compile");
  const wanted = { service: "greeting.v1.GreetingService", fixtures: undefined, seed: 3 };
  const loaded = loadStubs(built.image, [wanted], false);
  if (loaded.kind !== "stubs") throw new Error("it can't be stubbed");
  const told: string[] = [];
  const options = { image: built.image, stubs: loaded.stubs, port: 0 };
  await using server = await openStubServer({ ...options, told: (method) => void told.push(method) });
  await using other = await openTestProject({ "sidestep.yaml": "" });
  const { program, address } = await other.dev(["--service", `elsewhere=127.0.0.1:${server.port}`]);
  await program.waitForLine(new RegExp(`^ {2}service +elsewhere {2}127\\.0\\.0\\.1:${server.port}$`));
  const request = JSON.stringify({ request_id: "elsewhere", name: "Ada" });
  const answer = await runHere(["run", "exec", workflow, "--address", address, "-d", request]);
  expect(answer.code).toBe(0);
  expect(told).toEqual(["greeting.v1.GreetingService/Greet"]);
});

test("a folder that is not there is refused, and not made", async () => {
  const missing = path.join(project.folder, "nowhere");
  const args = [path.join(repositoryRoot, "bin/sidestep.js"), "dev", missing];
  const { code, lines } = await runProgram({ name: "dev", command: process.execPath, args });
  expect([code, lines[0], existsSync(missing)]).toEqual([2, "Error: there is no such folder", false]);
});
