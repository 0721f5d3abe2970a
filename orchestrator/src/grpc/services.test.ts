import { credentials, status } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { afterAll, expect, test } from "vitest";
import type {
  DrainSidecarRequest,
  DrainSidecarResponse,
  ListServicesResponse,
  ListSidecarsResponse,
  ResumeSidecarRequest,
  ResumeSidecarResponse,
} from "../../../proto/gen/sidestep/v1/services.ts";
import { ServiceMethod_Offer, ServicesClient } from "../../../proto/gen/sidestep/v1/services.ts";
import type { SidecarOrder } from "../nats/sidecarOrders.ts";
import type { Catalog, KnownSidecar } from "./catalog.ts";
import { fakeDefinitions, fakeFront, fakeLimits, makeEntry, openTestServer } from "./testing.ts";

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

function makeSidecar(given: Partial<KnownSidecar> & { readonly id: string }): KnownSidecar {
  const { id, ...rest } = given;
  return {
    sidecar: { id, name: "stock", host: "h1", version: "0.1.0" },
    services: ["shop.v1.Stock"],
    methods: [],
    target: "localhost:50051",
    serving: true,
    concurrency: 8,
    broken: [],
    heardMs: 1_000,
    inFlight: 0,
    ...rest,
  };
}

/** The rpcs over sidecars that a test makes up; what they are told, they do if `obey` lets them. */
async function open(sidecars: KnownSidecar[], obey: (order: SidecarOrder) => boolean = () => true) {
  const orders: SidecarOrder[] = [];
  const catalog: Catalog = {
    sidecars: () => sidecars,
    isServed: () => true,
    isBroken: (method) => method === "shop.v1.Stock/Reserve",
    driftOf: () => undefined,
    offersOf: () => undefined,
  };
  const tellSidecar = (services: readonly string[], order: SidecarOrder): void => {
    expect(services).toEqual(["shop.v1.Stock"]);
    orders.push(order);
    if (!obey(order)) return;
    const draining = order.lifted ? undefined : { reason: order.reason, actor: order.actor, sinceMs: 5_000 };
    const changed = sidecars.map((one) => (one.sidecar?.id === order.sidecarId ? { ...one, draining } : one));
    sidecars.splice(0, sidecars.length, ...changed);
  };
  const definitions = fakeDefinitions(new Uint8Array());
  const methods = ["shop.v1.Stock/Reserve", "shop.v1.Till/Charge", "shop.v1.Stock/Audit"];
  const entry = makeEntry("shop.v1.Orders/Place");
  definitions.set([{ ...entry, version: entry.version.map((version) => Object.assign(version, { methods })) }]);
  const limits = fakeLimits();
  const limit = { method: "shop.v1.Till/Charge", concurrency: 2, concurrencyPerSidecar: 0, rateCalls: 0, ratePerMs: 0 };
  await limits.change(() => [{ ...limit, sinceMs: 1_000, liftedMs: 0 }]);
  const front = fakeFront();
  front.held = [{ target: { $case: "service", value: "shop.v1.Till" }, reason: "counting", actor: "", sinceMs: 0 }];
  const readTaskQueues = () =>
    Promise.resolve([
      { service: "shop.v1.Till", waiting: 7, inHands: 0 },
      { service: "shop.v1.Stock", waiting: 0, inHands: 3 },
      { service: "shop.v1.Gone", waiting: 0, inHands: 0 },
    ]);
  const server = closing.use(
    await openTestServer(front, definitions, { catalog, limits, readTaskQueues, tellSidecar }),
  );
  const client = new ServicesClient(`127.0.0.1:${server.port}`, credentials.createInsecure());
  closing.defer(() => client.close());
  return { client, orders };
}

/** The answer of an rpc; rejects with its error. */
function ask<Request, Response>(
  method: (request: Request, answer: (error: ServiceError | null, response: Response) => void) => unknown,
  request: Request,
): Promise<Response> {
  return new Promise((resolve, reject) =>
    method(request, (error, response) => (error === null ? resolve(response) : reject(error))),
  );
}

test("a service is listed with its sidecars, its queue, and what is known of each method", async () => {
  const { client } = await open([
    makeSidecar({ id: "s-1", methods: ["shop.v1.Stock/Reserve", "shop.v1.Stock/Release"] }),
    makeSidecar({ id: "s-2", methods: ["shop.v1.Stock/Reserve"], serving: false }),
  ]);
  const response = await ask<object, ListServicesResponse>(client.listServices.bind(client), {});
  const [stock, till, ...others] = response.services;
  expect(others).toEqual([]);
  expect(stock).toMatchObject({ service: "shop.v1.Stock", sidecars: 2, serving: 1, waiting: 0n, inFlight: 3n });
  expect(stock?.held).toBeUndefined();
  expect(stock?.methods.map(({ method, offer, workflows, broken }) => [method, offer, workflows, broken])).toEqual([
    ["shop.v1.Stock/Audit", ServiceMethod_Offer.MISSING, ["shop.v1.Orders/Place"], false],
    ["shop.v1.Stock/Release", ServiceMethod_Offer.OFFERED, [], false],
    ["shop.v1.Stock/Reserve", ServiceMethod_Offer.OFFERED, ["shop.v1.Orders/Place"], true],
  ]);
  expect(till).toMatchObject({
    service: "shop.v1.Till",
    sidecars: 0,
    serving: 0,
    waiting: 7n,
    inFlight: 0n,
    held: { reason: "counting" },
    methods: [{ method: "shop.v1.Till/Charge", offer: ServiceMethod_Offer.UNKNOWN, limit: { concurrency: 2 } }],
  });
});

test("a sidecar is listed once for each service process beside it, with all that it says of that one", async () => {
  const { client } = await open([
    makeSidecar({ id: "s-2", heardMs: 3_000, inFlight: 4 }),
    makeSidecar({ id: "s-2", services: ["shop.v1.Till"], heardMs: 2_000, inFlight: 2, serving: false }),
    makeSidecar({ id: "s-2", services: ["mail.v1.Mail"], target: "localhost:50052", serving: false }),
    makeSidecar({ id: "s-1" }),
  ]);
  const response = await ask<object, ListSidecarsResponse>(client.listSidecars.bind(client), {});
  expect(
    response.sidecars.map(({ id, target, services, serving, inFlight }) => [id, target, services, serving, inFlight]),
  ).toEqual([
    ["s-1", "localhost:50051", ["shop.v1.Stock"], true, 0],
    ["s-2", "localhost:50051", ["shop.v1.Stock", "shop.v1.Till"], true, 4],
    ["s-2", "localhost:50052", ["mail.v1.Mail"], false, 0],
  ]);
});

test("a sidecar that is drained says so, and takes tasks again when it is resumed; an order that gets lost is given again", async () => {
  let told = 0;
  const { client, orders } = await open(
    [makeSidecar({ id: "s-1" }), makeSidecar({ id: "s-2" })],
    () => (told += 1) > 1,
  );
  const drained = await ask<DrainSidecarRequest, DrainSidecarResponse>(client.drainSidecar.bind(client), {
    sidecarId: "s-1",
    reason: "a new node",
  });
  expect(drained.sidecars).toMatchObject([{ id: "s-1", draining: { reason: "a new node", since: { seconds: 5n } } }]);
  expect(orders).toHaveLength(2);
  const resumed = await ask<ResumeSidecarRequest, ResumeSidecarResponse>(client.resumeSidecar.bind(client), {
    sidecarId: "s-1",
    reason: "",
  });
  expect(resumed.sidecars).toMatchObject([{ id: "s-1", draining: undefined }]);
});

test("a sidecar that nobody knows can't be drained, nor for a reason that is too long", async () => {
  const { client } = await open([makeSidecar({ id: "s-1" })]);
  const unknown = ask<DrainSidecarRequest, DrainSidecarResponse>(client.drainSidecar.bind(client), {
    sidecarId: "s-9",
    reason: "",
  });
  await expect(unknown).rejects.toMatchObject({ code: status.NOT_FOUND, details: 'no sidecar "s-9" is alive' });
  const long = ask<DrainSidecarRequest, DrainSidecarResponse>(client.drainSidecar.bind(client), {
    sidecarId: "s-1",
    reason: "x".repeat(5_000),
  });
  await expect(long).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
});
