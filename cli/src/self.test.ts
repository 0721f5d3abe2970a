import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { execFileSync } from "node:child_process";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { fakeDefinitions, fakeFront, makeEntry, openTestServer } from "../../orchestrator/src/grpc/testing.ts";
import type { FrontServerOptions } from "../../orchestrator/src/frontDoor.ts";
import { fittingRuns } from "../../orchestrator/src/compile/filter/bulkFilter.ts";
import { parseFilter } from "../../orchestrator/src/compile/filter/parseFilter.ts";
import { openRunStore } from "../../orchestrator/src/sql/store.ts";
import { makeRow } from "../../orchestrator/src/sql/testing.ts";
import { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import { repositoryRoot } from "../../test/support/program.ts";
import { exit } from "./failure.ts";
import { runHere } from "./testing.ts";

const workflow = "shop.v1.OrderWorkflow/Fulfil";
const alone = "0198c0ffee0010008000000000000001";
const twins = ["0198c0ffee0020008000000000000002", "0198c0ffee0020008000000000000003"];
const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

const front = fakeFront();
const definitions = fakeDefinitions(new Uint8Array());
let lists: FrontServerOptions["lists"];
let address = "";
let home = "";

beforeAll(async () => {
  home = await mkdtemp(path.join(os.tmpdir(), "sidestep-home-"));
  closing.defer(() => rm(home, { recursive: true }));
  const store = closing.use(await openRunStore({ kind: "sqlite", file: "" }));
  const { epoch } = await store.cursor(0, { created: "", lastSequence: 9 });
  const rows = [alone, ...twins].map((id, number) => makeRow(number, { id, workflow }));
  await store.write({ partition: 0, epoch, upTo: 9, rows });
  definitions.set([makeEntry(workflow, 3)]);
  lists = {
    store,
    readFilter: parseFilter,
    fitting: fittingRuns,
    progress: () => [],
    ready: () => Promise.resolve(),
    rebuild: () => Promise.resolve(),
    archived: () => Promise.resolve(undefined),
  };
  const server = closing.use(await openTestServer(front, definitions, { lists }));
  address = `127.0.0.1:${server.port}`;
});
beforeEach(() => rm(path.join(home, "sidestep"), { recursive: true, force: true }));

/** Runs a command with a home of its own. */
const sidestep = (...args: readonly string[]) => runHere(args, { XDG_CONFIG_HOME: home });

test("the beginning of a run's id stands for the run", async () => {
  front.run = { workflow, state: Run_State.RUNNING };
  await sidestep("run", "cancel", "0198c0ffee001", "--address", address);
  expect(front.requests).toHaveLength(1);
});

test("the beginning of several ids names them, and of none says so", async () => {
  const several = await sidestep("run", "cancel", "0198c0ffee002", "--address", address);
  expect(several).toMatchObject({ code: exit.usage, stderr: expect.stringContaining(twins[0] ?? "") });
  const none = await sidestep("run", "cancel", "ffff", "--address", address);
  const told = "no run has an id that begins with ffff";
  expect(none).toMatchObject({ code: exit.notFound, stderr: expect.stringContaining(told) });
});

test("the first context is current, and a command goes to its address", async () => {
  expect((await sidestep("context", "add", "here", "--address", address)).stderr).toContain("from now on");
  expect((await sidestep("workflow", "list")).stdout).toContain(workflow);
  expect((await stat(path.join(home, "sidestep/contexts.json"))).mode & 0o777).toBe(0o600);
});

test("a context by name, and what is given besides it, come before the current one", async () => {
  await sidestep("context", "add", "nowhere", "--address", "127.0.0.1:1");
  await sidestep("context", "add", "here", "--address", address);
  expect((await sidestep("workflow", "list")).code).toBe(exit.unreachable);
  expect((await sidestep("workflow", "list", "--context", "here")).stdout).toContain(workflow);
  expect((await sidestep("workflow", "list", "--address", address)).stdout).toContain(workflow);
  await sidestep("context", "use", "here");
  expect((await sidestep("workflow", "list")).stdout).toContain(workflow);
});

test("a context's token file opens the door, for the completion of an id too, and a token given besides it comes first", async () => {
  const file = path.join(home, "token");
  await writeFile(file, "of-ops\n");
  const authenticate = (token: string) =>
    token === "of-ops" ? ({ name: "ops", role: "operator" } as const) : undefined;
  await using guarded = await openTestServer(front, definitions, { lists, authenticate });
  await sidestep("context", "add", "guarded", "--address", `127.0.0.1:${guarded.port}`, "--token-file", file);
  front.run = { workflow, state: Run_State.RUNNING };
  front.requests.length = 0;
  expect(await sidestep("run", "cancel", "0198c0ffee001")).toMatchObject({ code: exit.ok });
  expect(front.requests).toMatchObject([{ event: { actor: "ops" } }]);
  const refused = await sidestep("run", "cancel", "0198c0ffee001", "--token", "of-nobody");
  expect(refused.stderr).toContain("UNKNOWN_TOKEN");
});

test("what opens the door of a context is shown at no other address, and a context that is named counts more than the environment", async () => {
  await sidestep("context", "add", "production", "--address", address, "--token-file", path.join(home, "none"));
  // The file is not there: whoever reads it fails.
  expect((await sidestep("workflow", "list")).code).toBe(exit.usage);
  expect((await sidestep("workflow", "list", "--address", address)).code).toBe(exit.ok);
  vi.stubEnv("SIDESTEP_ADDRESS", "127.0.0.1:1");
  expect((await sidestep("workflow", "list")).code).toBe(exit.unreachable);
  await sidestep("context", "add", "here", "--address", address);
  expect((await sidestep("workflow", "list", "--context", "here")).stdout).toContain(workflow);
  vi.unstubAllEnvs();
});

test("contexts are listed with a star, and forgotten", async () => {
  await sidestep("context", "add", "a", "--address", "a:1", "--token-file", "/etc/token");
  await sidestep("context", "add", "b", "--address", "b:1");
  const lines = (await sidestep("context", "list")).stdout.split("\n").map((line) => line.trim().split(/ +/));
  expect(lines.slice(1, 3)).toEqual([
    ["*", "a", "a:1", "/etc/token"],
    ["b", "b:1"],
  ]);
  expect((await sidestep("context", "remove", "a")).stderr).toContain("no context is current");
  expect((await sidestep("context", "list")).stdout).not.toContain("a:1");
});

test("a context that is not there is no address", async () => {
  const told = 'there is no context "production"';
  const end = await sidestep("workflow", "list", "--context", "production");
  expect(end).toMatchObject({ code: exit.usage, stderr: expect.stringContaining(told) });
});

test("a file that holds no contexts is left as it is, and named", async () => {
  await sidestep("context", "add", "a", "--address", "a:1");
  const file = path.join(home, "sidestep/contexts.json");
  for (const text of ["", "[]", '{"contexts": {"a": {}}}', '{"contexts": {"a": {"address": "a:1", "tlsCa": 1}}}']) {
    await writeFile(file, text);
    expect((await sidestep("context", "add", "b", "--address", "b:1")).stderr).toContain(`Where: ${file}`);
    expect(await readFile(file, "utf8")).toBe(text);
  }
});

test("runs, workflows and contexts are completed from where they are known", async () => {
  await sidestep("context", "add", "here", "--address", address);
  const offered = async (...words: readonly string[]) =>
    (await sidestep("__complete", "--", ...words)).stdout.split("\n").flatMap((line) => line.split("\t").slice(0, 1));
  expect(await offered("run", "start", "shop")).toContain(workflow);
  expect(await offered("run", "cancel", "0198c0ffee0020")).toEqual(expect.arrayContaining(twins));
  expect(await offered("run", "cancel", "0198c0ffee0020")).not.toContain(alone);
  expect(await offered("context", "use", "")).toContain("here");
  expect(await offered("check", "")).toContain(":folders");
  expect((await sidestep("__complete", "--", "run", "cancel", "--address", "127.0.0.1:1", "")).stdout).toBe("");
});

test("bash completes with the script it is given", () => {
  const script = `
    sidestep() { ${process.execPath} ${path.join(repositoryRoot, "bin/sidestep.js")} "$@"; }
    source <(sidestep completion bash)
    try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _sidestep; echo "\${COMPREPLY[*]}"; }
    try sidestep hol
    try sidestep run list --output = j
    cd ${path.join(repositoryRoot, "docs")} && try sidestep check ad`;
  expect(execFileSync("bash", ["-c", script], { encoding: "utf8" })).toBe("hold\njson jsonl\nadr\n");
});

test("what is given to many runs is typed as the newest of them takes it, and shown before it is done", async () => {
  front.run = { workflow, state: Run_State.RUNNING, signals: [{ name: "paid", type: "google.rpc.ErrorInfo" }] };
  const before = front.requests.length;
  const many = ["--filter", "version > 0", "--address", address];
  const signal = ["run", "signal", "--name", "paid", ...many];
  expect((await sidestep(...signal, "-d", '{"reason": "x"}')).stderr).toContain("signal fits 3 of the 3 runs");
  expect((await sidestep(...signal, "-d", '{"x": 1}')).code).not.toBe(exit.ok);
  expect((await sidestep("run", "rerun", "--step", "pay", ...many)).stderr).toContain("rerun fits 0 of the 3 runs");
  expect((await sidestep("run", "patch", ...many)).stderr).toContain("patch fits 0 of the 3 runs");
  expect((await sidestep("approval", "decide", "--reject", ...many)).stderr).toContain("reject fits 0 of the 3 runs");
  const asAnn = await sidestep("approval", "decide", "--reject", "--by", "ann", ...many);
  expect(asAnn.stderr).toContain("reject fits 0 of the 3 runs");
  expect((await sidestep("run", "skip", "--step", "a", ...many)).code).toBe(exit.usage);
  expect((await sidestep("run", "patch", "--address", address)).code).toBe(exit.usage);
  expect(front.requests).toHaveLength(before);
});

test("what is for one run or for many says so, and nothing is done where it is not clear which", async () => {
  front.run = { workflow, state: Run_State.RUNNING, signals: [{ name: "paid", type: "" }] };
  const before = front.requests.length;
  expect((await sidestep("run", "signal", "--help")).stdout).toContain(
    "Usage: sidestep run signal (<run id> <name> | --filter <condition> --name <name>) [options]",
  );
  expect((await sidestep("approval", "decide", "--help")).stdout).toContain(
    "(<run id> (--approve | --reject) | --filter <condition> (--approve | --reject)) [options]",
  );
  const unclear: readonly (readonly [told: string, ...args: readonly string[]])[] = [
    ["nothing says which run", "run", "signal", "--name", "paid"],
    ["nothing says which run", "run", "cancel"],
    [`a run (${alone}) and a filter are given`, "run", "signal", alone, "paid", "--filter", "version > 0"],
    [`a run (${alone}) and a filter are given`, "approval", "decide", alone, "--approve", "--filter", "version > 0"],
    ["the name of the signal is wanted", "run", "signal", alone],
    ["the name of the signal is given twice", "run", "signal", alone, "paid", "--name", "paid"],
    ["nothing says whether it is approved", "approval", "decide", alone],
    ["--preview is for --filter", "run", "cancel", alone, "--preview"],
    ["--rate is for --filter", "approval", "decide", alone, "--reject", "--rate", "5"],
  ];
  for (const [told, ...args] of unclear)
    expect(await sidestep(...args, "--address", address), args.join(" ")).toMatchObject({
      code: exit.usage,
      stderr: expect.stringContaining(told),
    });
  expect(front.requests).toHaveLength(before);
});
