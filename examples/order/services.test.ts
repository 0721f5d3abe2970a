import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startOrderServices } from "../../test/support/orderServices.ts";
import type { OrderService, OrderServices } from "../../test/support/orderServices.ts";
import { startOtlpReceiver } from "../../test/support/otlpReceiver.ts";
import type { OtlpReceiver } from "../../test/support/otlpReceiver.ts";

let receiver: OtlpReceiver;
let services: OrderServices;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-order-"));
  receiver = await startOtlpReceiver();
  services = await startOrderServices({
    folder,
    otlpEndpoint: receiver.httpUrl,
    env: { shipping: { SHIP_OUTAGES: "1" } },
  });
});

afterAll(async () => {
  await services[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

test("the same idempotency key gets the same answer and no second effect, also after a kill", async () => {
  const once = (): Promise<unknown> =>
    call(services.inventory, "Reserve", { order_id: "o1", lines: [{ sku: "mug", quantity: 2 }] }, "k1");
  const first = await once();
  expect(await once()).toEqual(first);
  await services.inventory.kill9();
  await services.inventory.restart();
  expect(await once()).toEqual(first);

  const charge = (): Promise<unknown> =>
    call(services.payment, "Charge", { order_id: "o1", amount: { units: 20 } }, "k2");
  const charged = await charge();
  await services.payment.kill9();
  await services.payment.restart();
  expect(await charge()).toEqual(charged);

  expect(outcomes(services.inventory, "o1")).toEqual(["Reserve effect", "Reserve repeat", "Reserve repeat"]);
  expect(outcomes(services.payment, "o1")).toEqual(["Charge effect", "Charge repeat"]);
});

test("what is short comes back in the answer, and nothing is set aside", async () => {
  const answer = await call(
    services.inventory,
    "Reserve",
    { order_id: "o2", lines: [{ sku: "globe", quantity: 3 }] },
    "k3",
  );
  expect(answer).toEqual({ reservation_id: "", short: [{ sku: "globe", quantity: 3 }] });
});

test("a card over its limit is declined with a typed detail", async () => {
  const declined = call(services.payment, "Charge", { order_id: "o3", amount: { currency: "EUR", units: 5000 } }, "k4");
  const error = await declined.catch((it: grpc.ServiceError) => it);
  expect(error).toMatchObject({ code: grpc.status.FAILED_PRECONDITION });
  const details = (error as grpc.ServiceError).metadata.get("grpc-status-details-bin")[0];
  expect(String(details)).toContain("type.googleapis.com/payment.v1.Decline");
});

test("a carrier that does not answer is no effect, and the same key works later", async () => {
  const ship = (): Promise<unknown> => call(services.shipping, "Ship", { order_id: "o4", address: "1 Main St" }, "k5");
  await expect(ship()).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
  expect(await ship()).toMatchObject({ tracking: expect.stringMatching(/^t-o4-/) });
  expect(outcomes(services.shipping, "o4")).toEqual(["Ship refused", "Ship effect"]);
});

test("a call doubled while the first one waits for the carrier is done once", async () => {
  await services.shipping.restart({ SHIP_DELAY_MS: "300", SHIP_OUTAGES: "0" });
  const ship = (): Promise<unknown> => call(services.shipping, "Ship", { order_id: "o5", address: "1 Main St" }, "k6");
  const [first, second] = await Promise.all([ship(), ship()]);
  expect(second).toEqual(first);
  expect(outcomes(services.shipping, "o5").toSorted()).toEqual(["Ship effect", "Ship repeat"]);
});

test("the inventory's stock instrumentation nests its span below the caller's", async () => {
  const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
  await call(services.inventory, "Release", { order_id: "o6" }, "k7", `00-${traceId}-00f067aa0ba902b7-01`);
  const spans = await receiver.waitFor((all) => all.some((it) => it.traceId === traceId));
  const span = spans.find((it) => it.traceId === traceId);
  expect(span).toMatchObject({
    kind: "server",
    parentSpanId: "00f067aa0ba902b7",
    resource: { "service.name": "inventory" },
  });
  expect(span?.name).toContain("inventory.v1.InventoryService/Release");
});

function outcomes(service: OrderService, order: string): readonly string[] {
  return service
    .journal()
    .filter((it) => it.order === order)
    .map((it) => `${it.method} ${it.outcome}`);
}

async function call(
  service: OrderService,
  method: string,
  request: object,
  key: string,
  traceparent?: string,
): Promise<unknown> {
  const [pkg = ""] = service.service.split(".");
  const definition = protoLoader.loadSync(`${pkg}/v1/${pkg}.proto`, {
    includeDirs: [path.join(import.meta.dirname, "proto")],
    keepCase: true,
    defaults: true,
    longs: Number,
  });
  const described = (definition[service.service] as grpc.ServiceDefinition)[method];
  if (described === undefined) throw new Error(`${service.service} has no ${method}`);
  const client = new grpc.Client(service.address, grpc.credentials.createInsecure());
  const metadata = new grpc.Metadata({ waitForReady: true });
  metadata.set("idempotency-key", key);
  if (traceparent !== undefined) metadata.set("traceparent", traceparent);
  try {
    return await new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        described.path,
        described.requestSerialize,
        described.responseDeserialize,
        request,
        metadata,
        (error, answer) => (error === null ? resolve(answer) : reject(error)),
      );
    });
  } finally {
    client.close();
  }
}
