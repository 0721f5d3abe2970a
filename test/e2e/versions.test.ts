import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { Outcome } from "../../proto/gen/sidestep/internal/v1/task.ts";
import { runHere } from "../../cli/src/testing.ts";
import { startOrderStack } from "../support/orderStack.ts";
import type { OrderStack } from "../support/orderStack.ts";
import { repositoryRoot } from "../support/program.ts";

const workflow = "parcels.v1.ParcelWorkflow/Send";
let stack: OrderStack;
let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-versions-"));
  stack = await startOrderStack();
  vi.stubEnv("SIDESTEP_ADDRESS", stack.orchestrators[0]?.address);
  await cp(path.join(repositoryRoot, "examples/order/proto/shipping"), path.join(folder, "shipping"), {
    recursive: true,
  });
  await mkdir(path.join(folder, "parcels/v1"), { recursive: true });
});
afterAll(async () => {
  await stack[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** A workflow that waits for a signal before it ships. */
async function writeWorkflow(
  title: string,
  request: string,
  fields = "string order_id = 1;",
  before = "",
): Promise<void> {
  const text = `syntax = "proto3";
package parcels.v1;
import "google/protobuf/empty.proto";
import "shipping/v1/shipping.proto";
import "sidestep/v1/workflow.proto";
service ParcelWorkflow {
  rpc Send(SendRequest) returns (SendResponse) {
    option (sidestep.v1.workflow) = {
      ${before}
      step { id: "paid" signal { name: "paid" type: "google.protobuf.Empty" } }
      step { id: "ship" title: "${title}" call { method: "shipping.v1.ShippingService/Ship" request: '${request}' } }
      output: '{tracking: ship.tracking}'
    };
  }
}
message SendRequest { ${fields} }
message SendResponse { string tracking = 1; }
`;
  await writeFile(path.join(folder, "parcels/v1/parcels.proto"), text);
}

const all = '{order_id: input.order_id, address: "1 Main Street", express: true}';

/** The contract of shipping with one text in place of another. */
async function changeShipping(from: string, to: string): Promise<void> {
  const file = path.join(folder, "shipping/v1/shipping.proto");
  const text = await readFile(path.join(repositoryRoot, "examples/order/proto/shipping/v1/shipping.proto"), "utf8");
  expect(text).toContain(from);
  await writeFile(file, text.replace(from, to));
}

async function sidestep(...args: readonly string[]) {
  const { code, stdout, stderr } = await runHere(args);
  return { code, stdout: stdout.trim(), text: `${stdout}${stderr}` };
}

test("a plan says what a deploy would change, and that it breaks nothing", async () => {
  await writeWorkflow("first", all);
  const planned = await sidestep("plan", folder);
  expect(planned).toMatchObject({ code: 0, stdout: expect.stringMatching(/Send +1 +added[\s\S]*breaks nothing/) });
  expect(await sidestep("deploy", folder)).toMatchObject({ code: 0 });
  expect((await sidestep("plan", folder)).stdout).toMatch(/Send +1 +unchanged/);
  expect((await sidestep("plan", path.join(folder, "shipping"))).text).toContain("no workflow found");
});

test("a plan tells what breaks: callers, services that run, runs in flight by version and place; a deploy refuses it", async () => {
  const ids = await Promise.all(
    [1, 2, 3].map(async (n) => {
      const started = await sidestep("run", "start", workflow, "-d", `{"order_id": "o${n}"}`, "-o", "json");
      return String(JSON.parse(started.stdout).runId);
    }),
  );
  // The index is a moment behind.
  const listed = async () => (await sidestep("run", "list", "--workflow", workflow, "-o", "name")).stdout.trim();
  await expect.poll(async () => (await listed()).split("\n").length, { timeout: 15_000 }).toBe(ids.length);
  // The order workflow calls Ship with its express as well, and is not in this folder.
  await changeShipping("bool express = 4;", "reserved 4;");
  await writeWorkflow(
    "second",
    '{order_id: input.order_id, address: "1 Main Street"}',
    "string order = 2;".concat(" string order_id = 1;"),
  );
  const planned = await sidestep("plan", folder);
  expect(planned.code).toBe(10);
  expect(planned.stdout).toMatch(/Send +2 +updated/);
  expect(planned.stdout).toContain(
    "3 runs of v1 of parcels.v1.ParcelWorkflow/Send wait at step paid, before step ship: request: field 4 (express) is gone",
  );
  for (const id of ids) expect(planned.stdout).toContain(id);
  expect(planned.stdout).toContain(
    "v1 of shop.v1.OrderWorkflow/Fulfil stays, and step ship calls shipping.v1.ShippingService/Ship: request: field 4 (express) is gone",
  );
  // The service that runs has one field more, which is nobody's matter.
  expect(planned.stdout).not.toContain("as it runs");
  const json = JSON.parse((await sidestep("plan", folder, "-o", "json")).stdout);
  expect(json.breaks.map(({ kind }: { kind: string }) => kind).toSorted()).toEqual(["CALLER", "RUNS"]);
  const refused = await sidestep("deploy", folder);
  expect(refused.code).toBe(10);
  expect(refused.text).toMatch(/nothing was deployed, for it would break[\s\S]*BREAKING_CHANGE|--allow-breaking/);
  expect((await sidestep("workflow", "list")).stdout).toMatch(/Send +1 /);
  expect(await sidestep("deploy", folder, "--allow-breaking")).toMatchObject({ code: 0 });
  // Runs are pinned: they go on as they began.
  for (const id of ids) expect(await sidestep("run", "signal", id, "paid")).toMatchObject({ code: 0 });
  for (const id of ids) expect(await sidestep("run", "watch", id)).toMatchObject({ code: 0 });
});

test("a service that runs and does not know what a new version sends is told", async () => {
  const stock = path.join(folder, "..", `${path.basename(folder)}-stock`);
  await cp(path.join(repositoryRoot, "examples/order/proto/inventory"), path.join(stock, "inventory"), {
    recursive: true,
  });
  await mkdir(path.join(stock, "stock/v1"), { recursive: true });
  const contract = path.join(stock, "inventory/v1/inventory.proto");
  const text = await readFile(contract, "utf8");
  await writeFile(contract, text.replace("repeated Line lines = 2;", "repeated Line lines = 2; string floor = 3;"));
  const write = (request: string) => writeFile(path.join(stock, "stock/v1/stock.proto"), stockWorkflow(request));
  // Its server rebuilds its descriptors (@grpc/reflection): they are read all the same.
  await write('{order_id: input.order_id, lines: [{sku: "a", quantity: 1}], floor: "2"}');
  const planned = await sidestep("plan", stock);
  expect(planned.stdout).toMatch(
    /inventory\.v1\.InventoryService\/Reserve as it runs beside .* does not fit step reserve of v1 of stock\.v1\.StockWorkflow\/Hold: request: field 3 \(floor\) is gone/,
  );
  expect(planned.code).toBe(10);
  // What is not sent is no matter.
  await write('{order_id: input.order_id, lines: [{sku: "a", quantity: 1}]}');
  expect(await sidestep("plan", stock)).toMatchObject({ code: 0 });
  await rm(stock, { recursive: true, force: true });
});

function stockWorkflow(request: string): string {
  return `syntax = "proto3";
package stock.v1;
import "inventory/v1/inventory.proto";
import "sidestep/v1/workflow.proto";
service StockWorkflow {
  rpc Hold(HoldRequest) returns (HoldResponse) {
    option (sidestep.v1.workflow) = {
      step { id: "reserve" call { method: "inventory.v1.InventoryService/Reserve" request: '${request}' } }
      output: '{reservation_id: reserve.reservation_id}'
    };
  }
}
message HoldRequest { string order_id = 1; }
message HoldResponse { string reservation_id = 1; }
`;
}

test("who calls a workflow by its old contract is told of", async () => {
  await writeWorkflow("fifth", '{order_id: "o", address: "1 Main Street"}', "int64 order_id = 1;");
  const planned = await sidestep("plan", folder);
  expect(planned.stdout).toMatch(
    /whoever calls parcels\.v1\.ParcelWorkflow\/Send by its contract of v2: .*request: field 1 \(order_id\) is written as string and read as int64/,
  );
});

test("runs in flight go on by a version that would have come to the same, and others are told where not; over a killed orchestrator", async () => {
  await changeShipping("bool express = 4;", "bool express = 4;");
  await writeWorkflow("sixth", all);
  expect(await sidestep("deploy", folder, "--allow-breaking")).toMatchObject({ code: 0 });
  const ids = await Promise.all(
    [1, 2, 3].map(async (n) => {
      const started = await sidestep("run", "start", workflow, "-d", `{"order_id": "m${n}"}`, "-o", "json");
      return String(JSON.parse(started.stdout).runId);
    }),
  );
  await writeWorkflow("seventh", '{order_id: input.order_id, address: "2 Side Street"}');
  expect((await sidestep("deploy", folder)).stdout).toMatch(/Send +\d+ +updated/);
  const preview = await sidestep("run", "migrate", "--workflow", workflow, "--preview");
  expect(preview).toMatchObject({ code: 0, stdout: expect.stringMatching(/3 +\d+ +can/) });
  const [first = "", second = "", third = ""] = ids;
  expect(await sidestep("run", "migrate", first, "--reason", "express is gone")).toMatchObject({ code: 0 });
  expect((await sidestep("run", "history", first)).text).toMatch(/migrated .*to version \d+: express is gone/);
  expect(
    await sidestep("run", "migrate", "--workflow", workflow, "--yes", "--filter", `id == "${second}"`),
  ).toMatchObject({
    code: 0,
    text: expect.stringContaining("1 of 1 runs go on by the active version"),
  });
  await stack.orchestrators[0]?.crash();
  for (const id of ids) expect(await sidestep("run", "signal", id, "paid")).toMatchObject({ code: 0 });
  for (const id of ids) expect(await sidestep("run", "watch", id)).toMatchObject({ code: 0 });
  const sent = async (id: string): Promise<unknown> =>
    JSON.parse((await sidestep("run", "describe", id, "-o", "json")).stdout).run;
  const [one, two, three] = await Promise.all([first, second, third].map(sent));
  const { version: newer } = one as { version: number };
  expect(two).toMatchObject({ version: newer });
  expect(three).toMatchObject({ version: newer - 1 });
  // A version whose past is another one.
  await writeWorkflow("eighth", all, "string order_id = 1;", 'step { wait { for: "1s" } }');
  expect(await sidestep("deploy", folder)).toMatchObject({ code: 0 });
  expect(await sidestep("run", "migrate", third, "--preview")).toMatchObject({ code: 10 });
});

test("a run goes into a file, without tokens and keys, is replayed from it, and is looked at elsewhere", async () => {
  await writeWorkflow("filed", all);
  expect(await sidestep("deploy", folder, "--allow-breaking")).toMatchObject({ code: 0 });
  const started = await sidestep("run", "start", workflow, "-d", '{"order_id": "f1"}', "-o", "json");
  const runId = String(JSON.parse(started.stdout).runId);
  expect(await sidestep("run", "signal", runId, "paid")).toMatchObject({ code: 0 });
  expect(await sidestep("run", "watch", runId)).toMatchObject({ code: 0 });
  const file = path.join(folder, "run.jsonl");
  expect(await sidestep("run", "export", runId, "--file", file)).toMatchObject({ code: 0 });
  const lines = (await readFile(file, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines[0]).toMatchObject({ sidestep: "run", runId, workflow });
  const outcomes = lines.filter((line) => "outcome" in line);
  expect(outcomes.map(({ authentic }) => authentic)).toEqual([true]);
  expect(Outcome.decode(Buffer.from(outcomes[0].outcome, "base64")).token).toHaveLength(0);
  expect(await sidestep("replay", file)).toMatchObject({ code: 0, stdout: expect.stringContaining("no difference") });
  expect((await sidestep("run", "import", file)).text).toContain("RUN_EXISTS");
  // As one of another system.
  const foreign = `${runId.slice(0, -4)}beef`;
  await writeFile(file, (await readFile(file, "utf8")).replace(runId, foreign));
  expect(await sidestep("run", "import", file, "--reason", "for support")).toMatchObject({ code: 0 });
  expect((await sidestep("run", "describe", foreign)).text).toMatch(/completed/i);
  expect((await sidestep("run", "history", foreign)).text).toMatch(/signal received/);
  expect((await sidestep("run", "list")).stdout).toContain(foreign);
  const live = lines
    .slice(0, 2)
    .map((line) => JSON.stringify({ ...line, runId: line.runId?.replace(/^.{4}/, "0000") }));
  await writeFile(file, live.join("\n"));
  expect((await sidestep("run", "import", file)).text).toMatch(/NOT_ENDED/);
  await writeFile(file, "{}");
  expect((await sidestep("run", "import", file)).text).toMatch(/INVALID_EXPORT/);
});

test("wrong definitions are shown, and nothing is planned", async () => {
  await writeWorkflow("ninth", "{order_id: input.order}");
  const planned = await sidestep("plan", folder);
  expect(planned).toMatchObject({ code: 10, text: expect.stringContaining("nothing is planned: 1 finding") });
});
