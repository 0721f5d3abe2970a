import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { runHere } from "../../cli/src/testing.ts";
import { startEchoStack } from "../support/echoStack.ts";
import type { EchoStack } from "../support/echoStack.ts";
import { repositoryRoot } from "../support/program.ts";

/** One step that stops at an incident, one that takes its time, one that waits. */
const contract = (text: string, code: number, last: string) => `
syntax = "proto3";
package flows.v1;
import "echo/v1/echo.proto";
import "google/protobuf/empty.proto";
import "sidestep/v1/workflow.proto";

service Flows {
  rpc Stops(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      step {
        id: "said"
        call { method: "echo.v1.Echo/Say" request: '{text: "${text}" + input.text, code: ${code}}' retry { max_attempts: 1 } on_doubt: RETRY }
      }
      output: '{text: said.text}'
    };
  }
  rpc Takes(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      step { id: "slow" call { method: "echo.v1.Echo/Say" request: '{text: "slow" + input.text, delay_ms: input.delay_ms}' } }
      step { id: "last" call { method: "echo.v1.Echo/Say" request: '{text: "${last}" + input.text}' } }
      output: '{text: last.text}'
    };
  }
  rpc Waits(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      step { id: "go" signal { name: "go" type: "google.protobuf.Empty" } }
      step { id: "last" call { method: "echo.v1.Echo/Say" request: '{text: "${last}" + input.text}' } }
      output: '{text: last.text}'
    };
  }
  rpc Keeps(echo.v1.SayRequest) returns (echo.v1.SayResponse) {
    option (sidestep.v1.workflow) = {
      step { id: "go" signal { name: "go" type: "google.protobuf.Empty" } }
      step { id: "more" signal { name: "${last === "unlike" ? "other" : "more"}" type: "google.protobuf.Empty" } }
      output: '{text: input.text}'
    };
  }
}
`;

const patience = { timeout: 30_000, interval: 50 };
let stack: EchoStack;
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-migrate-"));
  await cp(path.join(repositoryRoot, "sidecar/testdata/echo/proto/echo"), path.join(folder, "echo"), {
    recursive: true,
  });
  await mkdir(path.join(folder, "flows/v1"), { recursive: true });
  stack = await startEchoStack(contract("wrong", 14, "old"));
  vi.stubEnv("SIDESTEP_ADDRESS", stack.address);
});
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function sidestep(...args: readonly string[]) {
  const { code, stdout, stderr } = await runHere(args, { XDG_CONFIG_HOME: "/nowhere" });
  return { code, stdout: stdout.trim(), text: `${stdout}${stderr}` };
}

async function start(rpc: string, request: object): Promise<string> {
  const args = ["run", "start", `flows.v1.Flows/${rpc}`, "-d", JSON.stringify(request), "-o", "json"];
  return String(JSON.parse((await sidestep(...args)).stdout).runId);
}

async function deploy(text: string, ...flags: readonly string[]): Promise<void> {
  await writeFile(path.join(folder, "flows/v1/flows.proto"), text);
  expect(await sidestep("deploy", folder, ...flags)).toMatchObject({ code: 0 });
}

const saidOf = (text: string): number =>
  stack.echo.lines.filter((line) => line.startsWith(`begin {"text":"${text}"`)).length;
const countOf = async (rpc: string): Promise<string> =>
  (await sidestep("run", "count", "--workflow", `flows.v1.Flows/${rpc}`)).stdout.replaceAll(/\s+/g, " ");
const shown = async (id: string) => JSON.parse((await sidestep("run", "describe", id, "-o", "json")).stdout).run;

test("a run at an incident that its definition made goes on by the mended one, and a call under way is made once", async () => {
  const stopped = await start("Stops", { text: "-i" });
  await expect.poll(async () => (await shown(stopped)).state, patience).toBe("PAUSED");
  const under = await start("Takes", { text: "-u", delayMs: 6_000 });
  await expect.poll(() => saidOf("slow-u"), patience).toBe(1);
  await deploy(contract("right", 0, "new"));

  const preview = await sidestep("run", "migrate", stopped, "--preview");
  expect(preview).toMatchObject({ code: 0, stdout: expect.stringMatching(/1 +1 +can, and tries said anew +said/) });
  const migrated = await sidestep("run", "migrate", stopped, "--reason", "mended");
  expect(migrated).toMatchObject({ code: 0, text: expect.stringContaining("by the active version, at step said") });
  expect(await sidestep("run", "migrate", under)).toMatchObject({ code: 0 });
  await stack.crashOrchestrator();
  expect((await shown(stopped)).state).toBe("PAUSED");
  expect(await sidestep("run", "retry", stopped)).toMatchObject({ code: 0 });
  for (const id of [stopped, under]) expect(await sidestep("run", "watch", id)).toMatchObject({ code: 0 });
  expect(["wrong-i", "right-i", "slow-u", "new-u", "old-u"].map(saidOf)).toEqual([1, 1, 1, 1, 0]);
  expect(await shown(stopped)).toMatchObject({ state: "COMPLETED", version: 2 });
});

test("many runs go on by another version, over a kill -9 of the orchestrator in the midst of it", async () => {
  const runs = 12;
  await deploy(contract("right", 0, "old"));
  const ids = await Promise.all(Array.from({ length: runs }, (_, n) => start("Waits", { text: `-${n}` })));
  await expect.poll(() => countOf("Waits"), patience).toContain(`running ${runs} `);
  await deploy(contract("right", 0, "newest"));
  const moving = sidestep("run", "migrate", "--workflow", "flows.v1.Flows/Waits", "--rate", "3", "--to", "3", "--yes");
  const done = async (): Promise<number> => {
    const { bulks = [] } = JSON.parse((await sidestep("bulk", "list", "-o", "json")).stdout);
    return Number(bulks[0]?.done ?? 0);
  };
  await expect.poll(done, patience).toBeGreaterThan(0);
  expect(await done()).toBeLessThan(runs);
  await stack.crashOrchestrator();
  expect(await moving).toMatchObject({
    code: 0,
    text: expect.stringContaining(`${runs} of ${runs} runs go on by version 3`),
  });
  for (const id of ids) expect(await sidestep("run", "signal", id, "go")).toMatchObject({ code: 0 });
  for (const id of ids) expect(await sidestep("run", "watch", id)).toMatchObject({ code: 0 });
  for (let n = 0; n < runs; n++) expect([saidOf(`newest-${n}`), saidOf(`old-${n}`)]).toEqual([1, 0]);
});

test("a run for which signals wait that the new version does not know goes on by it only when that is said", async () => {
  await deploy(contract("right", 0, "old"));
  const [one, other] = await Promise.all(["-1", "-2"].map((text) => start("Keeps", { text })));
  for (const id of [one ?? "", other ?? ""])
    expect(await sidestep("run", "signal", id, "more")).toMatchObject({ code: 0 });
  await expect.poll(() => countOf("Keeps"), patience).toContain("running 2 ");
  await deploy(contract("right", 0, "unlike"), "--allow-breaking");
  const many = ["run", "migrate", "--workflow", "flows.v1.Flows/Keeps"];
  expect(await sidestep(...many, "--preview")).toMatchObject({
    code: 10,
    stdout: expect.stringMatching(/2 +1 +only with --drop-signals: it does not know signals that wait: more +go/),
  });
  expect(await sidestep(...many, "--yes")).toMatchObject({
    code: 10,
    text: expect.stringContaining("2 × DROPS_SIGNALS"),
  });
  expect(await sidestep("run", "migrate", one ?? "")).toMatchObject({
    text: expect.stringMatching(/would lose signals that wait.*1 × more/),
  });
  expect(await sidestep("run", "migrate", one ?? "", "--yes")).toMatchObject({
    code: 2,
    text: expect.stringContaining("and --yes are given"),
  });
  expect((await shown(one ?? "")).version).toBe(1);
  expect(await sidestep(...many, "--drop-signals")).toMatchObject({
    code: 0,
    text: expect.stringContaining("2 of 2 runs can go on by the active version; nothing was done; with --yes it is"),
  });
  expect(await sidestep(...many, "--drop-signals", "--reason", "tidy", "--yes")).toMatchObject({ code: 0 });
  for (const id of [one ?? "", other ?? ""])
    expect(await sidestep("run", "history", id)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("which drops signals that it does not know (1 × more): tidy"),
    });
});

test("a run is replayed by its id, by its own definition and by another one", async () => {
  const runId = await start("Waits", { text: "-r" });
  expect(await sidestep("run", "signal", runId, "go")).toMatchObject({ code: 0 });
  expect(await sidestep("run", "watch", runId)).toMatchObject({ code: 0 });
  expect(await sidestep("replay", runId)).toMatchObject({ code: 0, stdout: expect.stringContaining("no difference") });
  await writeFile(path.join(folder, "flows/v1/flows.proto"), contract("right", 0, "another"));
  const other = await sidestep("replay", runId, "--with", folder);
  expect(other).toMatchObject({ code: 10, stdout: expect.stringMatching(/first difference .*step last/) });
  expect((await sidestep("replay", "0".repeat(32))).text).toContain("RUN_NOT_FOUND");
  expect((await sidestep("replay", "no-such-file")).text).toContain("can't be read");
});
