import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { KnownSidecar } from "../../orchestrator/src/grpc/catalog.ts";
import type { ReadTaskQueues } from "../../orchestrator/src/grpc/servicesService.ts";
import { fakeDefinitions, fakeFront, makeEntry, openTestServer } from "../../orchestrator/src/grpc/testing.ts";
import { runCommand } from "./command.ts";
import { runHere } from "./testing.ts";

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

let sidecars: readonly KnownSidecar[] = [];
let queues: Awaited<ReturnType<ReadTaskQueues>> | undefined;
let address = "";

beforeAll(async () => {
  const definitions = fakeDefinitions(new Uint8Array());
  const entry = makeEntry("shop.v1.Orders/Place");
  const methods = ["shop.v1.Stock/Reserve", "shop.v1.Stock/Audit"];
  definitions.set([{ ...entry, version: entry.version.map((version) => Object.assign(version, { methods })) }]);
  const server = closing.use(
    await openTestServer(fakeFront(), definitions, {
      catalog: {
        sidecars: () => sidecars,
        isServed: () => true,
        isBroken: (method) => sidecars.some(({ broken }) => broken.includes(method)),
        driftOf: () => undefined,
        offersOf: () => undefined,
      },
      readTaskQueues: () => (queues === undefined ? Promise.reject(new Error("no answer")) : Promise.resolve(queues)),
      tellSidecar: (_, { sidecarId, lifted, reason }) => {
        const draining = lifted ? undefined : { reason, actor: "", sinceMs: 1 };
        const told = sidecars.filter(({ sidecar }) => sidecar?.id === sidecarId);
        for (const one of told) Object.assign(one, { draining, serving: lifted });
      },
    }),
  );
  address = `127.0.0.1:${server.port}`;
});

beforeEach(() => {
  queues = [{ service: "shop.v1.Stock", waiting: 7, inHands: 2 }];
  sidecars = ["stock-1-aa", "stock-2-bb"].map((id) => ({
    sidecar: { id, name: "stock", host: "h1", version: "0.1.0" },
    services: ["shop.v1.Stock"],
    methods: ["shop.v1.Stock/Reserve"],
    broken: [],
    target: "localhost:50051",
    serving: true,
    concurrency: 8,
    heardMs: 56_000,
    inFlight: 0,
  }));
});

const sidestep = (...args: readonly string[]) =>
  runHere([...args, "--address", address], { XDG_CONFIG_HOME: "/nowhere" });

test("services are listed with their sidecars, backlog and what is wrong with a method", async () => {
  expect((await sidestep("service", "list")).stdout).toBe(
    `SERVICE        SERVING  BACKLOG  IN FLIGHT
shop.v1.Stock  2 of 2   7        2          Audit called, and not offered
`,
  );
});

test("a service is described with its sidecars and methods; one that nobody knows is not found", async () => {
  const { stdout } = await sidestep("service", "describe", "shop.v1.Stock");
  expect(stdout).toMatch(/backlog +7 calls/);
  expect(stdout).toMatch(/^stock-2-bb +h1 +localhost:50051 +serving$/m);
  expect(stdout).toMatch(/^Audit +no +shop\.v1\.Orders\/Place +called, and not offered$/m);
  expect(stdout).toMatch(/^Reserve +yes +shop\.v1\.Orders\/Place$/m);
  expect((await sidestep("service", "describe", "shop.v1.Till")).code).toBe(5);
});

test("a sidecar is drained by the beginning of its id, is listed so, and is resumed", async () => {
  expect((await sidestep("sidecar", "drain", "stock-2", "--reason", "a new node")).stderr).toMatch(
    /^stock-2-bb takes nothing new; 0 in flight\.[\s\S]*it has finished what it had\n$/,
  );
  expect((await sidestep("sidecar", "list")).stdout).toMatch(
    /^stock-2-bb .*draining \(a new node\) +0 of 8 +\d.* ago /m,
  );
  expect((await sidestep("sidecar", "list", "-o", "name")).stdout).toBe("stock-1-aa\nstock-2-bb\n");
  expect((await sidestep("sidecar", "resume", "stock-2-bb")).stderr).toBe("stock-2-bb takes calls again\n");
  expect((await sidestep("sidecar", "drain", "stock")).stderr).toContain("2 sidecars are called stock…");
  expect((await sidestep("sidecar", "drain", "stick")).code).toBe(5);
});

function changeSidecars(change: Partial<KnownSidecar>): void {
  for (const one of sidecars) Object.assign(one, change);
}

/** What doctor finds of the services: each state, with what is told and what is to be done. */
async function found(): Promise<readonly unknown[]> {
  const { findings } = JSON.parse((await sidestep("doctor", "-o", "json")).stdout);
  return findings.filter(({ about }: { about: string }) => about === "services");
}

test("doctor tells which called method nobody offers, which service has no sidecar, and which is not healthy", async () => {
  const next = expect.stringMatching(/./);
  const told = (text: string): unknown => expect.stringContaining(text);
  expect(await found()).toEqual([
    {
      about: "services",
      state: "bad",
      next,
      told: told("nobody offers shop.v1.Stock/Audit, which shop.v1.Orders/Place calls"),
    },
  ]);
  changeSidecars({ methods: ["shop.v1.Stock/Reserve", "shop.v1.Stock/Audit"] });
  expect(await found()).toEqual([
    { about: "services", state: "ok", next: "", told: "2 methods are called, and each is offered" },
  ]);
  changeSidecars({ serving: true, broken: ["shop.v1.Stock/Reserve"] });
  Object.assign(sidecars[0] ?? {}, { serving: false });
  expect(await found()).toEqual([
    {
      about: "services",
      state: "notice",
      next: told("sidestep service describe shop.v1.Stock"),
      told: "shop.v1.Stock is served by 1 of 2 sidecars (stock-1-aa at localhost:50051: its service is away or not healthy)",
    },
    { about: "services", state: "notice", next, told: told("every sidecar holds calls of shop.v1.Stock/Reserve back") },
  ]);
  const draining = { reason: "a new node", sinceMs: 1, actor: "ann" };
  changeSidecars({ serving: false, broken: [], draining });
  expect(await found()).toEqual([
    {
      about: "services",
      state: "bad",
      next: told("sidestep sidecar resume stock-1-aa"),
      told: told("no sidecar takes calls of shop.v1.Stock now; 7 calls wait (stock-1-aa at localhost:50051: draining"),
    },
  ]);
  sidecars = [];
  expect(await found()).toEqual([
    {
      about: "services",
      state: "bad",
      next: told("sidestep sidecar --service"),
      told: "no sidecar offers shop.v1.Stock, which shop.v1.Orders/Place calls; 7 calls wait",
    },
  ]);
  queues = undefined;
  expect(await found()).toMatchObject([{ state: "bad", told: told("the queues can't be read now") }]);
});

test("doctor tells what an operator holds back, and ends well when nothing else is wrong", async () => {
  changeSidecars({ methods: ["shop.v1.Stock/Reserve", "shop.v1.Stock/Audit"] });
  await sidestep("hold", "add", "--service", "shop.v1.Stock", "--reason", "stocktaking");
  expect(await found()).toMatchObject([
    { state: "notice", told: "calls of shop.v1.Stock are held back by an operator (stocktaking)" },
  ]);
  await sidestep("hold", "remove", "--service", "shop.v1.Stock");
  expect(await found()).toMatchObject([{ state: "ok" }]);
});

test("everything else behind `sidecar` is for the program itself", async () => {
  const started: (readonly string[])[] = [];
  const terminal = {
    out: () => undefined,
    err: () => undefined,
    atInterrupt: () => () => undefined,
    now: () => 0,
    input: () => Promise.resolve(new Uint8Array()),
    environment: {},
    colors: { out: false, err: false },
  };
  const sidecar = (given: readonly string[]) => Promise.resolve(void started.push(given));
  const args = ["sidecar", "--service", "localhost:50051", "--help"];
  await runCommand(args, terminal, { orchestrator: () => Promise.resolve(), sidecar, dev: () => Promise.resolve(0) });
  expect(started).toEqual([args.slice(1)]);
});
