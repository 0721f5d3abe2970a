import { cp, mkdtemp, mkdir, readdir, rm, symlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exampleNames } from "../../cli/src/exampleNames.ts";
import type { ExampleName } from "../../cli/src/exampleNames.ts";
import { runHere } from "../../cli/src/testing.ts";
import { repositoryRoot, runProgram, startProgram } from "../support/program.ts";
import type { Program } from "../support/program.ts";
import { pythonWithGrpc } from "../support/python.ts";
import { rubyWithGrpc } from "../support/ruby.ts";

// Each example as a newcomer has it: written by the packed command, with the packed test kit, outside of this repository. One install serves all.
let folder = "";
const interpreters = { PYTHON: pythonWithGrpc(), RUBY: rubyWithGrpc() };

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-examples-"));
  const packed = await Promise.all([packCommand(), packTestKit()]);
  const [command, kit] = packed.map((file) => `file:${file}`);
  const dependencies = { "@grpc/grpc-js": "^1.14.7", "@grpc/proto-loader": "^0.8.0", vitest: "^5.1.1" };
  const all = { ...dependencies, sidestep: command, "@sidestep/testing": kit };
  await writeFile(path.join(folder, "package.json"), JSON.stringify({ private: true, dependencies: all }));
  await npm(folder, ["install", "--no-audit", "--no-fund", "--prefer-offline"]);
  for (const name of exampleNames) await bin(folder, ["init", "--example", name, name]);
  await bin(folder, ["init", "plain"]);
  for (const name of ["plain", ...exampleNames])
    await symlink("../node_modules", path.join(folder, name, "node_modules"));
}, 300_000);

afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));

async function done(name: string, command: string, args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, lines } = await runProgram({ name, command, args, cwd, timeoutMs: 280_000 });
  if (code !== 0) throw new Error(`${name} ${args.join(" ")} failed in ${cwd}:\n${lines.join("\n")}`);
  return stdout;
}

const npm = (cwd: string, args: readonly string[]): Promise<string> => done("npm", "npm", args, cwd);
const bin = (cwd: string, args: readonly string[]): Promise<string> =>
  done("sidestep", path.join(folder, "node_modules/.bin/sidestep"), args, cwd);

/** As `npm run build` makes it; bundles that are there already are taken. */
async function packCommand(): Promise<string> {
  const made = process.env["SIDESTEP_BUNDLES"] ?? "";
  const bundles = made === "" ? path.join(folder, "built") : made;
  if (made === "") await done("build", process.execPath, ["scripts/build.ts", bundles], repositoryRoot);
  const packing = path.join(folder, "command");
  await cp(path.join(bundles, "package"), packing, { recursive: true });
  return pack(packing);
}

async function packTestKit(): Promise<string> {
  const packing = path.join(folder, "kit");
  await mkdir(packing);
  await cp(path.join(repositoryRoot, "testing/package.json"), path.join(packing, "package.json"));
  await done("test kit", process.execPath, ["scripts/testingPackage.ts", path.join(packing, "dist")], repositoryRoot);
  return pack(packing);
}

async function pack(from: string): Promise<string> {
  await npm(from, ["pack", "--ignore-scripts"]);
  const packed = (await readdir(from)).find((file) => file.endsWith(".tgz"));
  if (packed === undefined) throw new Error(`npm packed nothing in ${from}`);
  return path.join(from, packed);
}

test.each(["plain", ...exampleNames])("%s: npm test passes", async (name) => {
  const said = await npm(path.join(folder, name), ["test"]);
  expect(said).toMatch(/Tests.*\d+ passed/);
  expect(said).not.toMatch(/failed|skipped/);
});

/** What a newcomer does while dev runs; gives what comes of it. */
const scenes: Readonly<Record<ExampleName, (address: string, program: Program) => Promise<void>>> = {
  order: async (address, program) => {
    const order = { order_id: "o-1", sku: "mug", quantity: 2, cents: 2_400, address: "12 Harbour Street" };
    const workflow = "shop.v1.OrderWorkflow/Fulfil";
    expect(await exec(address, workflow, order)).toEqual({ chargeId: "c-o-1", tracking: "t-o-1" });
    const undone = await exec(address, workflow, { ...order, order_id: "o-2", address: "Moon base 3" });
    expect(undone).toContain("no carrier goes there");
    for (const line of [/payment +│ refunded o-2/, /inventory +│ released o-2/]) await program.waitForLine(line);
  },
  approval: async (address, program) => {
    const claim = { claim_id: "c-1", employee: "ada", purpose: "punched cards", cents: 90_000 };
    const workflow = "expense.v1.ExpenseWorkflow/Claim";
    const started = await runHere(["run", "start", workflow, "--address", address, "-d", JSON.stringify(claim)]);
    const runId = /[0-9a-f]{32}/.exec(started.stdout)?.[0] ?? "";
    const form = JSON.stringify({ granted_cents: 80_000, note: "no gilt edges" });
    const decide = ["approval", "decide", runId, "--approve", "--by", "finance", "-d", form, "--address", address];
    await expect.poll(async () => (await runHere(decide)).code, { timeout: 30_000 }).toBe(0);
    expect(await exec(address, workflow, claim)).toEqual({ grantedCents: "80000", note: "no gilt edges" });
    await program.waitForLine(/mail +│ to ada: granted: 80000 cents/);
  },
  schedule: async (address, program) => {
    const id = "stock.v1.StockWorkflow/Report/each-minute";
    const trigger = ["schedule", "trigger", id, "--address", address];
    await expect.poll(async () => (await runHere(trigger)).code, { timeout: 30_000 }).toBe(0);
    await program.waitForLine(/stock +│ counted \d+ pieces in berlin/, { timeoutMs: 60_000 });
  },
  map: async (address) => {
    const gallery = { gallery_id: "g-1", pictures: ["a.png", "b.png", "c.png", "d.png"] };
    const thumbnails = ["a-small.png", "b-small.png", "c-small.png", "d-small.png"];
    expect(await exec(address, "gallery.v1.GalleryWorkflow/Publish", gallery)).toEqual({ thumbnails });
  },
  stream: async (address) => {
    const request = JSON.stringify({ report_id: "r-1", chapters: ["one", "two"] });
    const given = ["report.v1.ReportWorkflow/Write", "--address", address, "-d", request];
    const started = await runHere(["run", "start", ...given]);
    const runId = /[0-9a-f]{32}/.exec(started.stdout)?.[0] ?? "";
    const { stdout } = await runHere(["run", "follow", runId, "--address", address]);
    for (const text of ["rendered one", "rendered two", "rendered 2 chapters"]) expect(stdout).toContain(text);
  },
};

async function exec(address: string, workflow: string, request: object): Promise<unknown> {
  const given = [workflow, "--address", address, "-d", JSON.stringify(request), "--timeout", "100s"];
  const { stdout, stderr } = await runHere(["run", "exec", ...given]);
  return stdout === "" ? stderr : JSON.parse(stdout);
}

test.each(exampleNames)("%s: sidestep dev runs it, services and all", async (name) => {
  const cwd = path.join(folder, name);
  const started = {
    command: path.join(cwd, "node_modules/.bin/sidestep"),
    args: ["dev"],
    cwd,
    env: interpreters,
  };
  await using program = await startProgram({ name: "sidestep dev", ...started });
  const line = await program.waitForLine(/^ {2}gRPC, JSON/, { timeoutMs: 60_000 });
  await scenes[name](/(\S+)$/.exec(line)?.[1] ?? "", program);
  expect(program.lines.filter((one) => /error:|it is started again/.test(one))).toEqual([]);
  expect(await program.stop()).toEqual({ code: 0, signal: undefined });
});

test("what is written is the example as it lies here, and nothing is overwritten", async () => {
  await expect(bin(folder, ["init", "--example", "order", "order"])).rejects.toThrow(
    /nothing written: .*package\.json/,
  );
});
