import grpc from "@grpc/grpc-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fulfil } from "../../examples/order/demo/orders.ts";
import type { Answer, Order } from "../../examples/order/demo/orders.ts";
import { isWhole } from "../../examples/order/demo/report.ts";
import { makeStageFolder, openStage, removeStageFolder } from "../../examples/order/demo/stage.ts";
import type { Stage } from "../../examples/order/demo/stage.ts";
import type { OtlpTraces } from "../../orchestrator/src/projection/otlpJson.ts";
import { RunsClient } from "../../proto/gen/sidestep/v1/runs.ts";
import type { TraceRunResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import type { ReceivedSpan } from "../support/otlp/receivedSpan.ts";
import type { OtlpReceiver } from "../support/otlpReceiver.ts";

let stage: Stage;
let receiver: OtlpReceiver;
let folder: string;

beforeAll(async () => {
  folder = await makeStageFolder();
  stage = await openStage(folder, { say: () => undefined, otlpEndpoint: undefined, carrierDeskMs: 3_000 });
  if (stage.receiver === undefined) throw new Error("the stage has no receiver");
  receiver = stage.receiver;
});

afterAll(async () => {
  await stage[Symbol.asyncDispose]();
  await removeStageFolder(folder);
});

function makeOrder(id: string, units = 240): Order {
  const items = [{ sku: "mug", quantity: 1 }];
  return { order_id: id, customer_id: "c1", items, total: { currency: "EUR", units }, address: "1 Main Street" };
}

/** The trace as nested lines, siblings in the order of their names: what a trace is, without its times. */
function shapeOf(traceId: string): readonly string[] {
  const spans = new Map(
    receiver
      .spans()
      .filter((it) => it.traceId === traceId)
      .map((it) => [it.spanId, it]),
  );
  const lines: string[] = [];
  const show = (span: ReceivedSpan, indent: string): void => {
    const error = span.status.code === "error" ? ` ✗ ${span.status.message}` : "";
    lines.push(`${indent}${span.name} · ${span.kind} · ${String(span.resource["service.name"])}${error}`);
    const below = [...spans.values()].filter((it) => it.parentSpanId === span.spanId);
    below.toSorted(byName).forEach((it) => show(it, `${indent}  `));
  };
  const tops = [...spans.values()].filter((it) => !spans.has(it.parentSpanId));
  tops.toSorted(byName).forEach((it) => show(it, ""));
  return lines;
}

function byName(a: ReceivedSpan, b: ReceivedSpan): number {
  return a.name.localeCompare(b.name) || Number(a.startNano - b.startNano);
}

/** Waits for the run's own spans and for `inventorySpans` of the service that has instrumentation. */
async function wholeTrace(traceId: string, inventorySpans: number, root = ""): Promise<readonly string[]> {
  const isThere = (spans: readonly ReceivedSpan[]): boolean => {
    const own = spans
      .filter((it) => it.traceId === traceId)
      .map((it) => (it.parentSpanId === root ? Object.assign({}, it, { parentSpanId: "" }) : it));
    const fromInventory = own.filter((it) => it.resource["service.name"] === "inventory");
    return isWhole(own, traceId) && fromInventory.length >= inventorySpans;
  };
  await receiver.waitFor(isThere);
  return shapeOf(traceId);
}

function spanNamed(traceId: string, name: string): ReceivedSpan {
  const found = receiver.spans().find((it) => it.traceId === traceId && it.name === name);
  if (found === undefined) throw new Error(`no span ${name}`);
  return found;
}

const orchestrator = "sidestep-orchestrator";
const paid = [
  `  charge · internal · ${orchestrator}`,
  "    payment.v1.PaymentService/Charge · client · payment-sidecar",
  `  labels · internal · ${orchestrator}`,
  `    labels[0]/label · internal · ${orchestrator}`,
  "      shipping.v1.ShippingService/Label · client · shipping-sidecar",
];
const reserved = [
  `  reserve · internal · ${orchestrator}`,
  "    inventory.v1.InventoryService/Reserve · client · inventory-sidecar",
  "      grpc.inventory.v1.InventoryService/Reserve · server · inventory",
];

test("a completed run is one tree below its caller's span, down to the service's own", async () => {
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  const caller = "00f067aa0ba902b7";
  const headers = { traceparent: `00-${traceId}-${caller}-01`, tracestate: "shop=1" };
  const answer = await fulfil(stage.address, makeOrder("traced"), { headers });
  expect(answer.kind).toBe("answered");

  expect(await wholeTrace(traceId, 1, caller)).toEqual([
    `shop.v1.OrderWorkflow/Fulfil · server · ${orchestrator}`,
    ...paid,
    ...reserved,
    `  run started · internal · ${orchestrator}`,
    `  ship · internal · ${orchestrator}`,
    "    shipping.v1.ShippingService/Ship · client · shipping-sidecar",
  ]);

  const run = spanNamed(traceId, "shop.v1.OrderWorkflow/Fulfil");
  expect(run).toMatchObject({
    parentSpanId: caller,
    tracestate: "shop=1",
    attributes: {
      "rpc.system.name": "grpc",
      "rpc.method": "shop.v1.OrderWorkflow/Fulfil",
      "rpc.status_code": "OK",
      "sidestep.run.id": answer.runId,
      "sidestep.workflow.version": 1,
      "sidestep.run.state": "COMPLETED",
    },
  });
  expect(spanNamed(traceId, "shipping.v1.ShippingService/Ship")).toMatchObject({
    attributes: {
      "server.port": Number(stage.services.shipping.address.split(":")[1]),
      "sidestep.step": "ship",
      "sidestep.attempt": 1,
      "sidestep.attempt.result": "completed",
    },
  });
  for (const span of receiver.spans()) expect(span.endNano).toBeGreaterThanOrEqual(span.startNano);
});

test("a retried call shows each attempt, the failed one with its code and the pause after it", async () => {
  await stage.services.shipping.restart({ SHIP_OUTAGES: "1" });
  const { runId } = await fulfil(stage.address, makeOrder("retried"));
  expect(await wholeTrace(runId, 1)).toEqual([
    `shop.v1.OrderWorkflow/Fulfil · server · ${orchestrator}`,
    ...paid,
    ...reserved,
    `  run started · internal · ${orchestrator}`,
    `  ship · internal · ${orchestrator}`,
    "    shipping.v1.ShippingService/Ship · client · shipping-sidecar ✗ the carrier does not answer",
    "    shipping.v1.ShippingService/Ship · client · shipping-sidecar",
  ]);
  expect(spanNamed(runId, "shipping.v1.ShippingService/Ship")).toMatchObject({
    attributes: { "rpc.status_code": "UNAVAILABLE", "error.type": "UNAVAILABLE", "sidestep.attempt": 1 },
    events: [{ name: "retry" }],
  });
});

test("a compensated run shows what failed and what was undone", async () => {
  const answer = await fulfil(stage.address, makeOrder("declined", 4200));
  expect(answer).toMatchObject({ kind: "failed", code: "FAILED_PRECONDITION" });
  const declined = "✗ the card was declined: 4200 EUR is over its limit";
  expect(await wholeTrace(answer.runId, 2)).toEqual([
    `shop.v1.OrderWorkflow/Fulfil · server · ${orchestrator} ${declined}`,
    `  charge · internal · ${orchestrator} ${declined}`,
    `    payment.v1.PaymentService/Charge · client · payment-sidecar ${declined}`,
    `  compensate reserve · internal · ${orchestrator}`,
    "    inventory.v1.InventoryService/Release · client · inventory-sidecar",
    "      grpc.inventory.v1.InventoryService/Release · server · inventory",
    ...reserved,
    `  run started · internal · ${orchestrator}`,
  ]);
  expect(spanNamed(answer.runId, "compensate reserve").attributes).toMatchObject({
    "sidestep.step": "reserve",
    "sidestep.step.phase": "compensate",
  });
  expect(spanNamed(answer.runId, "shop.v1.OrderWorkflow/Fulfil").attributes).toMatchObject({
    "sidestep.run.state": "COMPENSATED",
    "sidestep.step": "charge",
    "rpc.status_code": "FAILED_PRECONDITION",
  });
});

test("a run that outlives its orchestrator and a sidecar has the same tree, no span lost and none of another content", async () => {
  await stage.services.shipping.restart({ SHIP_DELAY_MS: "3000" });
  const order = makeOrder("stormy", 80);
  const atDesk = stage.services.shipping.program().waitForLine(/stormy: waiting/);
  const first = fulfil(stage.address, order);
  await atDesk;
  await Promise.all([stage.sidecars.shipping.kill9(), stage.orchestrator.kill9()]);
  await first;
  await Promise.all([stage.sidecars.shipping.start(), stage.orchestrator.start()]);
  const { kind, runId } = await fulfil(stage.address, order);
  expect(kind).toBe("answered");

  expect(await wholeTrace(runId, 1)).toEqual([
    `shop.v1.OrderWorkflow/Fulfil · server · ${orchestrator}`,
    ...paid,
    ...reserved,
    `  run started · internal · ${orchestrator}`,
    `  ship · internal · ${orchestrator}`,
    "    shipping.v1.ShippingService/Ship · client · shipping-sidecar",
  ]);
  // Once more at the least: a sidecar gives it back while the next owner is not at work yet.
  const delivery = spanNamed(runId, "shipping.v1.ShippingService/Ship").attributes["sidestep.attempt.delivery"];
  expect(delivery).toBeGreaterThanOrEqual(2);
  expectNoneDoubled();
});

test("spans that the collector did not take are told again from the log, by the next orchestrator too", async () => {
  receiver.setAway(true);
  const { kind, runId } = await fulfil(stage.address, makeOrder("unseen"));
  expect(kind).toBe("answered");
  // By the fourth refusal the lease, and with it the cursor, has been renewed meanwhile.
  await receiver.waitForRefusals(4);
  await stage.orchestrator.kill9();
  receiver.setAway(false);
  await stage.orchestrator.start();
  const isThere = (spans: readonly ReceivedSpan[]): boolean =>
    isWhole(
      spans.filter((it) => it.resource["service.name"] !== "inventory"),
      runId,
    );
  await receiver.waitFor(isThere);
  // What the inventory itself exports while the collector is away is the inventory's own affair.
  expect(shapeOf(runId).filter((it) => !it.endsWith("· server · inventory"))).toEqual([
    `shop.v1.OrderWorkflow/Fulfil · server · ${orchestrator}`,
    ...paid,
    ...reserved.slice(0, 2),
    `  run started · internal · ${orchestrator}`,
    `  ship · internal · ${orchestrator}`,
    "    shipping.v1.ShippingService/Ship · client · shipping-sidecar",
  ]);
  expectNoneDoubled();
});

test("over kills of the orchestrator amid runs, the collector gets what the log tells: no span less, none more", async () => {
  await stage.services.shipping.restart();
  const answers: Promise<Answer>[] = [];
  for (let kills = 0; kills < 2; kills += 1) {
    const before = receiver.spans().length;
    for (let i = 0; i < 5; i += 1) answers.push(untilAnswered(makeOrder(`storm-${kills}-${i}`, i === 0 ? 4200 : 240)));
    await receiver.waitFor((spans) => spans.length > before);
    await stage.orchestrator.kill9();
    await stage.orchestrator.start();
  }
  const runIds = (await Promise.all(answers)).map((answer) => answer.runId);
  for (const runId of runIds) {
    const told = await spanIdsOfLog(runId);
    const received = (spans: readonly ReceivedSpan[]): readonly string[] => {
      const own = spans.filter((it) => it.traceId === runId && it.resource["service.name"] !== "inventory");
      return [...new Set(own.map((it) => it.spanId))].toSorted();
    };
    await receiver.waitFor((spans) => received(spans).length >= told.length);
    expect(received(receiver.spans())).toEqual(told);
  }
  expectNoneDoubled();
});

test("an orchestrator that is stopped has sent what it had", async () => {
  const { runId } = await fulfil(stage.address, makeOrder("last"));
  await stage.orchestrator.stop();
  const own = receiver.spans().filter((it) => it.resource["service.name"] !== "inventory");
  expect(isWhole(own, runId)).toBe(true);
  await stage.orchestrator.start();
});

test("a run in an unsampled trace leaves no span, ours or the services'", async () => {
  const traceId = "11111111111111111111111111111111";
  const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-00` };
  const { runId } = await fulfil(stage.address, makeOrder("unsampled"), { headers });
  const after = await fulfil(stage.address, makeOrder("after"));
  await wholeTrace(after.runId, 1);
  expect(receiver.spans().filter((it) => it.traceId === runId || it.traceId === traceId)).toEqual([]);
});

/** Asks again with the same order while connections break. */
async function untilAnswered(order: Order): Promise<Answer> {
  const failures: string[] = [];
  while (failures.length < 10) {
    const answer = await fulfil(stage.address, order);
    if (answer.kind === "answered" || answer.code === "FAILED_PRECONDITION") return answer;
    failures.push(`${answer.code} ${answer.message}`);
  }
  throw new Error(`order ${order.order_id} got no answer:\n${failures.join("\n")}`);
}

/** Ids of all spans of a run as its history tells them now. */
async function spanIdsOfLog(runId: string): Promise<readonly string[]> {
  const client = new RunsClient(stage.address, grpc.credentials.createInsecure());
  const trace = await new Promise<TraceRunResponse>((resolve, reject) => {
    client.trace({ runId }, (error, response) => (error === null ? resolve(response) : reject(error)));
  });
  client.close();
  const { resourceSpans } = JSON.parse(trace.otlpJson) as OtlpTraces;
  const spans = resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
  return spans.map(({ spanId }) => spanId).toSorted();
}

/** The same span may come twice after a crash; then it is the same to the byte, and viewers show one. */
function expectNoneDoubled(): void {
  const byId = new Map<string, string>();
  for (const span of receiver.spans()) {
    const id = `${span.traceId} ${span.spanId}`;
    expect(byId.get(id) ?? span.whole, `${span.name} came twice with another content`).toBe(span.whole);
    byId.set(id, span.whole);
  }
}
