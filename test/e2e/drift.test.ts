import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { runHere } from "../../cli/src/testing.ts";
import { freePort } from "../support/freePort.ts";
import { orchestratorReady, sidecarReady } from "../support/orderStack.ts";
import { startNats } from "../support/nats.ts";
import type { Nats } from "../support/nats.ts";
import { repositoryRoot, startNode } from "../support/program.ts";
import type { Program } from "../support/program.ts";

const workflow = "stock.v1.StockWorkflow/Hold";
const order = path.join(repositoryRoot, "examples/order");
let folder = "";
let nats: Nats;
let adminPort = 0;
const programs: Program[] = [];

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-drift-"));
  nats = await startNats();
  const address = `127.0.0.1:${await freePort()}`;
  adminPort = await freePort();
  vi.stubEnv("SIDESTEP_ADDRESS", address);
  programs.push(
    await startNode("orchestrator/src/main.ts", {
      args: ["--listen", address, "--admin-port", String(adminPort)],
      env: { NATS_URL: nats.url },
      readyLine: orchestratorReady,
    }),
  );
  await cp(path.join(order, "proto/inventory"), path.join(folder, "proto/inventory"), { recursive: true });
  await mkdir(path.join(folder, "proto/stock/v1"), { recursive: true });
  await writeFile(path.join(folder, "proto/stock/v1/stock.proto"), definition);
  await sidestep("deploy", path.join(folder, "proto"));
});
afterAll(async () => {
  for (const program of programs.toReversed()) await program.kill9();
  await nats[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const definition = `syntax = "proto3";
package stock.v1;
import "inventory/v1/inventory.proto";
import "sidestep/v1/workflow.proto";
service StockWorkflow {
  rpc Hold(HoldRequest) returns (HoldResponse) {
    option (sidestep.v1.workflow) = {
      step {
        id: "reserve"
        call {
          method: "inventory.v1.InventoryService/Reserve"
          request: '{order_id: input.order_id, lines: [{sku: "mug", quantity: 1}]}'
        }
      }
      output: '{reservation_id: reserve.reservation_id}'
    };
  }
}
message HoldRequest { string order_id = 1; }
message HoldResponse { string reservation_id = 1; }
`;

interface Beside {
  readonly service: Program;
  readonly sidecar: Program;
  readonly journal: string;
}

/** The inventory by a contract that has been changed, and a sidecar beside it. */
async function startInventory(name: string, from: string, to: string): Promise<Beside> {
  const home = path.join(folder, name);
  await cp(path.join(order, "inventory"), path.join(home, "inventory"), { recursive: true });
  await cp(path.join(order, "proto"), path.join(home, "proto"), { recursive: true });
  const contract = path.join(home, "proto/inventory/v1/inventory.proto");
  const text = await readFile(contract, "utf8");
  expect(text).toContain(from);
  await writeFile(contract, text.replace(from, to));
  const address = `127.0.0.1:${await freePort()}`;
  const journal = path.join(home, "journal.jsonl");
  const service = await startNode(path.join(home, "inventory/server.js"), {
    name,
    isAsWritten: true,
    args: ["--port", address.split(":")[1] ?? "", "--journal", journal],
    env: { NODE_PATH: path.join(repositoryRoot, "node_modules") },
    readyLine: /listens on/,
  });
  const sidecar = await startNode("sidecar/src/main.ts", {
    name: `sidecar-${name}`,
    args: ["--service", address, "--admin-port", "0", "--name", name],
    env: { NATS_URL: nats.url },
    readyLine: sidecarReady,
  });
  programs.push(service, sidecar);
  return { service, sidecar, journal };
}

async function stop({ service, sidecar }: Beside): Promise<void> {
  await sidecar.stop();
  await service.stop();
}

async function sidestep(...args: readonly string[]) {
  const { code, stdout, stderr } = await runHere(args);
  return { code, stdout: stdout.trim(), text: `${stdout}${stderr}` };
}

async function start(id: string): Promise<string> {
  const started = await sidestep("run", "start", workflow, "-d", `{"order_id": "${id}"}`, "-o", "json");
  return String(JSON.parse(started.stdout).runId);
}

const soon = { timeout: 20_000 };
const lines = "repeated Line lines = 2;";

async function drifts(): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text();
  return Number(/^sidestep_orchestrator_drifts_total(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1] ?? 0);
}

test("a step whose service has drifted is held, which is told everywhere, and goes on beside one that fits", async () => {
  const drifted = await startInventory("drifted", lines, "repeated Line lines = 4;");
  const runId = await start("a");
  const explained = async (): Promise<string> => (await sidestep("run", "explain", runId)).text;
  await expect
    .poll(explained, soon)
    .toMatch(
      /reserve: drift: inventory\.v1\.InventoryService\/Reserve as it runs does not fit, beside drifted on .*: request: field 2 \(lines\) is gone.*a service that fits lets it go on/,
    );
  await expect.poll(async () => (await sidestep("run", "history", runId)).text, soon).toMatch(/drifted/i);
  expect((await sidestep("run", "describe", runId)).text).toMatch(/reserve +call +running .*waits: drift/);
  expect(await drifts()).toBeGreaterThan(0);
  const json = JSON.parse((await sidestep("run", "explain", runId, "-o", "json")).stdout);
  expect(json.waiting[0].kind).toBe("DRIFT");
  // A rolling update: both run, and only the one that fits is called.
  const fitting = await startInventory("fitting", lines, lines);
  expect(await sidestep("run", "watch", runId)).toMatchObject({ code: 0 });
  const ids = await Promise.all(Array.from({ length: 20 }, (_, n) => start(`b${n}`)));
  for (const id of ids) expect(await sidestep("run", "watch", id)).toMatchObject({ code: 0 });
  const called = (await readFile(fitting.journal, "utf8")).split("\n").filter((line) => line.includes('"effect"'));
  expect(called).toHaveLength(21);
  expect(await readFile(drifted.journal, "utf8").catch(() => "")).not.toContain("Reserve");
  await stop(fitting);
  await stop(drifted);
});

test("a task that waits in the queue is not given to a service that does not fit, and its run says why it waits", async () => {
  const runId = await start("queued");
  await expect.poll(async () => (await sidestep("run", "explain", runId)).text, soon).toContain("no sidecar");
  const drifted = await startInventory("late", "rpc Reserve(", "rpc Keep(");
  await expect
    .poll(async () => (await sidestep("run", "history", runId)).text, soon)
    .toMatch(/drift: .*the method is gone/);
  // More than is needed is no drift.
  const more = await startInventory("more", lines, `${lines} string floor = 9;`);
  expect(await sidestep("run", "watch", runId)).toMatchObject({ code: 0 });
  await stop(more);
  await stop(drifted);
});
