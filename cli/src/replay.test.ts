import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runHere } from "./testing.ts";

let folder = "";
let recorded = "";
/** Without the plan of its own. */
let bare = "";

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "sidestep-replay-"));
  recorded = path.join(folder, "run.jsonl");
  bare = path.join(folder, "bare.jsonl");
  const fixtures = path.join(folder, "fixtures.yaml");
  await writeFile(
    fixtures,
    `inventory.v1.InventoryService/Reserve:
  - {status: UNAVAILABLE, times: 1}
  - {answer: {reservation_id: r-1}}
payment.v1.PaymentService/Charge: {answer: {charge_id: c-1, risk_score: 0.9}}
`,
  );
  const order = '{"order_id": "o-1", "customer_id": "ann", "items": [{"sku": "cup"}]}';
  const args = [
    "simulate",
    "shop.v1.OrderWorkflow/Fulfil",
    "examples/order/proto",
    "-d",
    order,
    "--fixtures",
    fixtures,
  ];
  const simulated = await runHere([...args, "--signal", 'reviewed={"approved":true}', "--record", recorded]);
  if (simulated.code !== 0) throw new Error(simulated.stderr);
  const [head = "", ...rest] = (await readFile(recorded, "utf8")).split("\n");
  const { plan, ...without } = JSON.parse(head) as Record<string, unknown>;
  if (plan === undefined) throw new Error("it has no plan");
  await writeFile(bare, [JSON.stringify(without), ...rest].join("\n"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The order's contracts with one text in place of another. */
async function changed(from: string, to: string): Promise<string> {
  const copy = await mkdtemp(path.join(folder, "proto-"));
  await cp("examples/order/proto", copy, { recursive: true });
  const file = path.join(copy, "shop/v1/order.proto");
  const text = await readFile(file, "utf8");
  expect(text).toContain(from);
  await writeFile(file, text.replaceAll(from, to));
  return copy;
}

test("a recorded run replays by its own definition, and by the same one in a folder", async () => {
  const own = await runHere(["replay", recorded]);
  expect(own).toMatchObject({ code: 0, stdout: expect.stringMatching(/\d+ events, no difference\n$/) });
  for (const file of [recorded, bare])
    expect(await runHere(["replay", file, "--with", "examples/order/proto"])).toMatchObject({ code: 0 });
});

test("a definition that calls with another request parts where the call is asked for", async () => {
  const other = await changed('reason: "order failed",', 'reason: "failed",');
  // The run completed: it has undone nothing.
  expect(await runHere(["replay", recorded, "--with", other])).toMatchObject({ code: 0 });
  const named = await changed(
    "{order_id: input.order_id, sku: item.sku,",
    "{order_id: input.customer_id, sku: item.sku,",
  );
  const told = await runHere(["replay", recorded, "--with", named]);
  expect(told.code).toBe(10);
  expect(told.stdout).toMatch(/the first difference is at event \d+, step labels\[0\]\/label/);
  expect(told.stdout).toMatch(/recorded .*"orderId":"o-1".*\n {2}replayed .*"orderId":"ann"/);
});

test("without the run's own plan, the first fact that the definition does not lead to is told", async () => {
  const renamed = await changed('id: "label"', 'id: "sticker"').then(async (copy) => {
    const file = path.join(copy, "shop/v1/order.proto");
    await writeFile(file, (await readFile(file, "utf8")).replace("'label.label_id'", "'sticker.label_id'"));
    return copy;
  });
  const call = await runHere(["replay", bare, "--with", renamed, "-o", "json"]);
  expect(call.code).toBe(10);
  expect(JSON.parse(call.stdout)).toMatchObject({
    kind: "different",
    difference: {
      step: "labels[0]/label",
      replayed: expect.stringMatching(/has not made that call: it stands at .*sticker/),
    },
  });
  const slower = await changed(
    'retry { max_attempts: 4 backoff: "200ms" max_backoff: "10s" }',
    'retry { max_attempts: 4 backoff: "9s" max_backoff: "10s" }',
  );
  const timer = await runHere(["replay", bare, "--with", slower]);
  expect(timer).toMatchObject({
    code: 10,
    stdout: expect.stringMatching(/recorded +timer \d+ fired[^]*replayed +has set it to/),
  });
  const ended = await changed("charge_id: charge.charge_id}'", 'charge_id: "none"}\'');
  const end = await runHere(["replay", bare, "--with", ended]);
  expect(end).toMatchObject({
    code: 10,
    stdout: expect.stringMatching(/recorded +ended COMPLETED with .*"chargeId":"c-1"/),
  });
});

test("what can't be replayed is told with its line and what to do", async () => {
  expect(await runHere(["replay", bare])).toMatchObject({ code: 2, stderr: expect.stringContaining("--with") });
  const broken = path.join(folder, "broken.jsonl");
  await writeFile(broken, `${(await readFile(bare, "utf8")).split("\n")[0]}\n{"sequence": 1}\n`);
  expect(await runHere(["replay", broken])).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("broken.jsonl:2"),
  });
  expect(await runHere(["replay", recorded, "--with", "examples/approval/proto"])).toMatchObject({ code: 5 });
  expect(await runHere(["replay", path.join(folder, "none")])).toMatchObject({ code: 2 });
});
