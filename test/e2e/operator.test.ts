import { createHmac } from "node:crypto";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { runHere } from "../../cli/src/testing.ts";
import { freePort } from "../support/freePort.ts";
import { startReceiver } from "../support/receiver.ts";
import type { Receiver } from "../support/receiver.ts";
import { startOrderStack } from "../support/orderStack.ts";
import type { OrderStack } from "../support/orderStack.ts";
import { repositoryRoot } from "../support/program.ts";

const secret = "the webhook's secret";
const workflow = "parcels.v1.ParcelWorkflow/Send";
let stack: OrderStack;
let folder = "";
let receiver: Receiver;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-operator-"));
  await writeFile(path.join(folder, "secret"), `${secret}\n`);
  receiver = await startReceiver();
  const orchestratorEnv = {
    SIDESTEP_WEBHOOK: receiver.url,
    SIDESTEP_WEBHOOK_SECRET_FILE: path.join(folder, "secret"),
  };
  stack = await startOrderStack({ orchestratorEnv });
  vi.stubEnv("SIDESTEP_ADDRESS", stack.orchestrators[0]?.address);
  await cp(path.join(repositoryRoot, "examples/order/proto/shipping"), path.join(folder, "shipping"), {
    recursive: true,
  });
});
afterAll(async () => {
  await stack[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** A workflow of one call that pauses after its only attempt; `title` makes another version of it. */
async function writeWorkflow(title: string, option = true): Promise<void> {
  const definition = `
    option (sidestep.v1.workflow) = {
      step {
        id: "ship"
        title: "${title}"
        call {
          method: "shipping.v1.ShippingService/Ship"
          request: '{order_id: input.order_id, address: "1 Main Street", express: true}'
          retry { max_attempts: 1 }
          on_doubt: RETRY
        }
      }
      output: '{tracking: ship.tracking}'
    };`;
  const text = `syntax = "proto3";
package parcels.v1;
import "shipping/v1/shipping.proto";
import "sidestep/v1/workflow.proto";
service ParcelWorkflow {
  rpc Send(SendRequest) returns (SendResponse) {${option ? definition : ""}}
  rpc Ask(SendRequest) returns (shipping.v1.ShipResponse);
}
message SendRequest { string order_id = 1; }
message SendResponse { string tracking = 1; }
`;
  await mkdir(path.join(folder, "parcels/v1"), { recursive: true });
  await writeFile(path.join(folder, "parcels/v1/parcels.proto"), text);
}

async function sidestep(
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly stdout: string; readonly text: string }> {
  const { code, stdout, stderr } = await runHere(args);
  return { code, stdout: stdout.trim(), text: `${stdout}${stderr}` };
}

async function deployed(...args: readonly string[]): Promise<unknown> {
  const { stdout, text } = await sidestep("deploy", folder, "-o", "json", ...args);
  expect(text).toContain(stdout);
  return JSON.parse(stdout);
}

test("doctor finds nothing wrong with what runs, and what is wrong with what does not", async () => {
  const { payment, inventory } = stack.services;
  const nats = ["--nats-url", stack.nats.url];
  const well = await sidestep("doctor", ...nats, "--service", payment.address, inventory.address);
  expect(well).toMatchObject({ code: 0, text: expect.not.stringMatching(/^bad/m) });
  expect(well.stdout).toMatch(
    /^ok +orchestrator .*takes runs[\s\S]*^ok +workflows +1 deployed[\s\S]*^ok +services +8 methods are called[\s\S]*^ok +nats +nats-server 2\./m,
  );
  expect(well.stdout).toMatch(
    /^ok +streams +\d+, each with a leader[\s\S]*^ok +clock [\s\S]*^notice +service .* answers, without reflection[\s\S]*^ok +service .*inventory\.v1\.InventoryService/m,
  );
  const nobody = `127.0.0.1:${await freePort()}`;
  const ill = await sidestep("doctor", "--address", nobody, "--nats-url", nobody, "--service", nobody);
  expect(ill.code).toBe(10);
  for (const about of ["orchestrator", "nats", "service"])
    expect(ill.stdout).toMatch(new RegExp(`^bad +${about} `, "m"));
  const empty = await sidestep("doctor", ...nats, "--prefix", "another", "--otlp-endpoint", nobody, "-o", "json");
  const { findings } = JSON.parse(empty.stdout);
  expect(findings).toContainEqual(expect.objectContaining({ about: "streams", state: "notice" }));
  expect(findings).toContainEqual(expect.objectContaining({ about: "otlp", state: "notice" }));
});

test("doctor tells a service process that is gone from a sidecar that is", async () => {
  const { services, sidecars } = stack;
  const found = async (): Promise<string> => /^\w+ +services .*/m.exec((await sidestep("doctor")).stdout)?.[0] ?? "";
  await services.shipping.kill9();
  await expect
    .poll(found, { timeout: 20_000 })
    .toMatch(
      /^bad .*no sidecar takes calls of shipping\.v1\.ShippingService now \(.*: its service is away or not healthy\)/,
    );
  await sidecars.shipping.program().stop();
  expect(await found()).toMatch(
    /^bad .*no sidecar offers shipping\.v1\.ShippingService, which shop\.v1\.OrderWorkflow\/Fulfil calls/,
  );
  await services.shipping.restart();
  await sidecars.shipping.restart();
  await expect.poll(found, { timeout: 20_000 }).toMatch(/^ok /);
});

const told = (version: number, change: string): unknown => ({ workflows: [{ workflow, version, change }] });

test("versions count, known content becomes active again, what is gone is retired, other services are left alone", async () => {
  await writeWorkflow("one");
  expect(await deployed("--dry-run")).toEqual(told(1, "ADDED"));
  expect(await deployed()).toEqual(told(1, "ADDED"));
  expect(await deployed()).toEqual(told(1, "UNCHANGED"));
  await writeWorkflow("two");
  expect(await deployed()).toEqual(told(2, "UPDATED"));
  await writeWorkflow("one");
  expect(await deployed()).toEqual(told(1, "REACTIVATED"));
  await writeWorkflow("none", false);
  expect(await deployed()).toEqual(told(1, "RETIRED"));
  expect((await sidestep("run", "start", workflow)).code).toBe(5);
  expect((await sidestep("workflow", "list")).stdout).toMatch(
    /parcels\.v1\.ParcelWorkflow\/Send +retired[\s\S]*shop\.v1\.OrderWorkflow\/Fulfil +1 /,
  );
  await writeWorkflow("one");
  expect(await deployed()).toEqual(told(1, "REACTIVATED"));
});

test("a workflow is shown in words and as a graph", async () => {
  const order = "shop.v1.OrderWorkflow/Fulfil";
  const { stdout: described, text } = await sidestep("workflow", "describe", order);
  expect(described, text).not.toBe("");
  expect(described).toMatch(
    /^response +shop\.v1\.FulfilResponse$[\s\S]*^charge +call +payment\.v1\.PaymentService\/Charge$/m,
  );
  expect(described).toMatch(/^ +undone by .*Refund/m);
  expect((await sidestep("workflow", "graph", order)).stdout).toMatch(/^flowchart TD\n +n0\(\["start"\]\)/);
  expect((await sidestep("workflow", "describe", "no.such.Service/Method")).code).toBe(5);
});

test("a paused run shows its incident, and a person tries the step again or lets it fail", async () => {
  await writeWorkflow("one");
  await deployed();
  await stack.services.shipping.restart({ SHIP_OUTAGES: "2" });
  const start = async (order: string): Promise<string> =>
    (await sidestep("run", "start", workflow, "-d", JSON.stringify({ order_id: order }))).stdout;
  const describe = async (runId: string): Promise<string> => (await sidestep("run", "describe", runId)).stdout;
  const retried = await start("parcel-1");
  await expect.poll(() => describe(retried), { timeout: 20_000 }).toMatch(/state +PAUSED/);
  expect(await describe(retried)).toMatch(/incident: ship failed 1 time: UNAVAILABLE/);
  const failed = await start("parcel-2");
  await expect.poll(() => describe(failed), { timeout: 20_000 }).toMatch(/state +PAUSED/);
  // Both are one line among the incidents, and found by what they are about.
  await expect
    .poll(async () => (await sidestep("incident", "list")).stdout, { timeout: 20_000 })
    .toMatch(/^2 +parcels\.v1\.ParcelWorkflow\/Send +ship +UNAVAILABLE +attempts exhausted /m);
  const listed = await sidestep(
    "run",
    "list",
    "--state",
    "paused",
    "--filter",
    'code == UNAVAILABLE && step == "ship"',
  );
  expect(listed.stdout).toMatch(new RegExp(`^${failed.trim()} .* paused [\\s\\S]*^${retried.trim()} .* paused `, "m"));
  expect(await sidestep("run", "list", "--filter", "stat == PAUSED")).toMatchObject({
    code: 2,
    text: expect.stringContaining("column 1 (stat): a run has no field 'stat'; did you mean 'state'?"),
  });
  expect((await sidestep("run", "retry", retried, "--reason", "the carrier is back")).code).toBe(0);
  await expect.poll(() => describe(retried), { timeout: 20_000 }).toMatch(/state +COMPLETED[\s\S]*"tracking"/);
  // All that the filter finds, though it is one: shown, then done, and watched.
  const many = ["run", "fail", "--filter", `workflow == "${workflow}" && state == PAUSED && code == UNAVAILABLE`];
  await expect.poll(async () => (await sidestep(...many)).text, { timeout: 20_000 }).toMatch(/fits 1 of the 1 runs/);
  const bulk = await sidestep(...many, "--yes", "--reason", "not worth it");
  expect(bulk).toMatchObject({ code: 0, text: expect.stringContaining("1 of 1 done") });
  expect((await sidestep("bulk", "describe", bulk.stdout.trim())).stdout).toMatch(
    /action +fail[\s\S]*state +completed/,
  );
  expect(await sidestep("run", "watch", failed)).toMatchObject({
    code: 3,
    stdout: expect.stringMatching(/ship +failed[\s\S]* (failed|compensated)$/m),
  });
  await expect.poll(() => describe(failed), { timeout: 20_000 }).toMatch(/state +(FAILED|COMPENSATED)/);
  expect((await sidestep("index", "rebuild")).text).toContain("100 % of the log is in the index");
  expect((await sidestep("run", "count", "--workflow", workflow)).stdout).toMatch(/Send +1 +completed +1$/m);
  expect((await sidestep("run", "history", retried)).stdout).toMatch(/retry requested +ship +.*the carrier is back/);
  expect(await sidestep("run", "retry", failed)).toMatchObject({
    code: 1,
    text: expect.stringMatching(/what fits now: rerun \(ship\), delete[\s\S]*NO_INCIDENT/),
  });
  expect((await sidestep("run", "delete", failed, "--reason", "a test")).code).toBe(0);
  expect(await sidestep("run", "describe", failed)).toMatchObject({ text: expect.stringContaining("RUN_NOT_FOUND") });
  const counted = async (): Promise<string> => (await sidestep("run", "count", "--workflow", workflow)).stdout;
  await expect.poll(counted, { timeout: 20_000 }).not.toMatch(/failed|compensated/);
  const ended = ["run", "delete", "--filter", `workflow == "${workflow}"`, "--yes"];
  expect(await sidestep(...ended)).toMatchObject({ code: 0, text: expect.stringContaining("1 of 1 done") });
  await expect.poll(counted, { timeout: 20_000 }).not.toMatch(/Send/);
  expect((await sidestep("index", "rebuild")).code).toBe(0);
  expect(await counted()).not.toMatch(/Send/);
});

test("exec says soon that no sidecar is there, and a cancel ends the run", async () => {
  await writeWorkflow("one");
  await deployed();
  await stack.sidecars.shipping.program().stop();
  const { code, text } = await sidestep("run", "exec", workflow, "-d", '{"order_id": "parcel-3"}', "--timeout", "5s");
  expect(code).toBe(6);
  expect(text).toMatch(/ship +running .*no sidecar offers shipping\.v1\.ShippingService/);
  const runId = /run ([0-9a-f]{32})/.exec(text)?.[1] ?? "";
  const terminated = sidestep("run", "terminate", runId, "--reason", "enough");
  expect((await terminated).code).toBe(0);
  expect((await sidestep("run", "describe", runId)).stdout).toMatch(/state +TERMINATED/);
  expect(await sidestep("run", "cancel", runId)).toMatchObject({ code: 1, text: expect.stringContaining("RUN_ENDED") });
  await stack.sidecars.shipping.restart();
  // Another run goes on in its place.
  const rerun = await sidestep("run", "rerun", runId, "--step", "ship", "--reason", "a sidecar is there");
  expect(rerun.code).toBe(0);
  const describe = async (): Promise<string> => (await sidestep("run", "describe", rerun.stdout.trim())).stdout;
  await expect.poll(describe, { timeout: 20_000 }).toMatch(/state +COMPLETED/);
  expect(await describe()).toMatch(new RegExp(`rerun of +${runId} \\(from ship on\\)`));
  expect(await sidestep("run", "rerun", runId, "--step", "ship")).toMatchObject({
    code: 1,
    text: expect.stringContaining("ALREADY_RERUN"),
  });
  const audit = (await sidestep("audit", "list", "--target", runId, "--since", "1h")).stdout.split("\n").slice(1);
  expect(audit.map((line) => line.trim().split(/ {2,}/).slice(2).join(" "))).toEqual([
    expect.stringMatching(/^Runs\/Rerun [0-9a-f]{32} failed \(ALREADY_RERUN\)$/),
    expect.stringMatching(/^Runs\/Rerun [0-9a-f]{32} done a sidecar is there$/),
    expect.stringMatching(/^Runs\/Cancel [0-9a-f]{32} failed \(RUN_ENDED\)$/),
    expect.stringMatching(/^Runs\/Terminate [0-9a-f]{32} done enough$/),
  ]);
});

test("an order that waits for its review is held, reviewed, asked about and let go by the command line", async () => {
  const fulfil = "shop.v1.OrderWorkflow/Fulfil";
  const order = {
    order_id: "reviewed-1",
    items: [{ sku: "rug", quantity: 1 }],
    address: "Home",
    pay_by_invoice: true,
    customer_id: "c-7",
  };
  const request = JSON.stringify({ ...order, total: { currency: "EUR", units: 3_000 } });
  const runId = (await sidestep("run", "start", fulfil, "-d", request)).stdout.trim();
  const describe = async (): Promise<string> => (await sidestep("run", "describe", runId)).stdout;
  await expect.poll(describe, { timeout: 20_000 }).toMatch(/review +signal +waiting/);
  expect((await sidestep("run", "pause", runId)).code).toBe(0);
  const signal = (name: string): ReturnType<typeof sidestep> =>
    sidestep("run", "signal", runId, name, "-d", '{"approved": true, "reviewer": "eve"}', "--id", "once");
  expect(await signal("review")).toMatchObject({
    code: 2,
    text: expect.stringContaining("it takes reviewed (shop.v1.ReviewRequest)"),
  });
  expect((await signal("reviewed")).code).toBe(0);
  expect((await signal("reviewed")).code).toBe(0);
  expect(await describe()).toMatch(/held[\s\S]*review +signal +completed/);
  expect((await sidestep("run", "resume", runId)).code).toBe(0);
  await expect.poll(describe, { timeout: 20_000 }).toMatch(/state +COMPLETED/);
  await expect
    .poll(async () => (await sidestep("run", "list", "--filter", 'attributes.customer == "c-7"')).stdout, {
      timeout: 20_000,
    })
    .toMatch(new RegExp(`^${runId} .* completed `, "m"));
  const progress = await sidestep(
    "run",
    "query",
    "shop.v1.OrderWorkflow/GetProgress",
    "-d",
    '{"order_id": "reviewed-1"}',
  );
  expect(JSON.parse(progress.stdout)).toMatchObject({ reserved: true, tracking: expect.stringMatching(/^t-/) });
});

test("a webhook that was away is told the incidents and the failed run of the tests above, though the orchestrator died meanwhile", async () => {
  expect(receiver.notices).toEqual([]);
  await stack.orchestrators[0]?.crash();
  receiver.status = 204;
  const kindsByRun = (): readonly string[] =>
    [...Map.groupBy(receiver.notices, ({ runId }) => runId).values()].map((notices) =>
      [...new Set(notices.map(({ kind }) => String(kind)))].toSorted().join(),
    );
  await expect.poll(() => kindsByRun().toSorted(), { timeout: 30_000 }).toEqual(["INCIDENT", "INCIDENT,RUN_FAILED"]);
  for (const { body, signature } of receiver.posts) {
    const [, time, hex] = /^t=(\d+),v1=(\w+)$/.exec(signature) ?? [];
    expect(createHmac("sha256", secret).update(`${time}.${body}`).digest("hex")).toBe(hex);
  }
});
