import { randomBytes } from "node:crypto";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DeployedWorkflow_Change as Change } from "../../../proto/gen/sidestep/v1/definitions.ts";
import { toNames } from "../../../proto/wire/subjects.ts";
import { silentLog } from "../../../runtime/src/log.ts";
import type { Nats as Connection } from "../../../runtime/src/natsConnection.ts";
import { connectTo } from "../../../test/support/connectTo.ts";
import { buildImage as buildFolder } from "../../../cli/src/buildImage.ts";
import { buildImage } from "../../../test/support/image.ts";
import { repositoryRoot } from "../../../test/support/program.ts";
import { startNats } from "../../../test/support/nats.ts";
import type { Nats } from "../../../test/support/nats.ts";
import { openDefinitions } from "../processor/definitions.ts";
import type { Definitions } from "../processor/definitions.ts";
import { openDefinitionStore } from "./definitions.ts";
import { askJetStream } from "./jetstream.ts";
import { ensurePartitionsBucket, ensureTopology } from "./topology.ts";

const workflow = "shop.v1.OrderWorkflow/Fulfil";
const names = toNames();
let nats: Nats;
let connection: Connection;
let image = new Uint8Array();

beforeAll(async () => {
  nats = await startNats();
  connection = await connectTo(nats.url);
  image = new Uint8Array(await buildImage("examples/order/proto"));
  await ensurePartitionsBucket(connection.connection, { names, replicas: 1 });
  await ensureTopology(connection.connection, { names, replicas: 1 }, 1, silentLog);
});

afterAll(async () => {
  await connection[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
});

function open(named = names): Promise<Definitions> {
  const store = openDefinitionStore(connection.connection, named);
  return openDefinitions({ store, now: () => 5_000, log: silentLog });
}

test("a deploy is seen by other orchestrators, its plan loads, and its services' tasks can wait", async () => {
  await using one = await open();
  await using other = await open();
  const changed = new Promise<void>((resolve) => void other.onChange(resolve));
  const dry = await one.deploy(image, true);
  expect(dry).toMatchObject({ kind: "deployed", workflows: [{ workflow, version: 1, change: Change.ADDED }] });
  expect(one.list()).toEqual([]);
  const deployed = await one.deploy(image, false);
  expect(deployed).toMatchObject({ kind: "deployed", workflows: [{ workflow, version: 1, change: Change.ADDED }] });
  await changed;
  const active = await other.active(workflow);
  expect(active?.plan.plan.workflow).toBe(workflow);
  expect(await other.load(active?.planHash ?? new Uint8Array())).toBe(active?.plan);
  const consumers = await askJetStream(connection.connection, `CONSUMER.NAMES.${names.tasksStream}`, undefined);
  expect(consumers.consumers?.toSorted()).toEqual([
    "inventory-v1-InventoryService",
    "payment-v1-PaymentService",
    "shipping-v1-ShippingService",
  ]);
});

test("the same image again changes nothing, and a wrong one is told and changes nothing", async () => {
  await using definitions = await open();
  await definitions.deploy(image, false);
  const before = definitions.list();
  expect(await definitions.deploy(image, false)).toMatchObject({ workflows: [{ change: Change.UNCHANGED }] });
  const wrong = await definitions.deploy(Uint8Array.of(1, 2, 3), false);
  expect(wrong.kind).toBe("wrong");
  await definitions.refresh();
  expect(definitions.list()).toEqual(before);
});

test("what takes several messages is read whole, what is not there is nothing, and reading leaves no consumers behind", async () => {
  const store = openDefinitionStore(connection.connection, names);
  const before = await consumersOfStore();
  for (const length of [300_000, 10, 0]) {
    const bytes = new Uint8Array(randomBytes(length));
    const hash = new Uint8Array(randomBytes(32));
    await store.writePlan(hash, bytes);
    expect(Buffer.from(bytes).equals((await store.readPlan(hash)) ?? Buffer.of(0))).toBe(true);
    expect(await store.readContract(hash)).toBeUndefined();
  }
  expect(await consumersOfStore()).toBe(before);
});

test("of deploys at the same time each is whole, and none is lost", async () => {
  const store = openDefinitionStore(connection.connection, names);
  const entry = (name: string) => ({
    workflow: name,
    activeVersion: 1,
    version: [],
    contractHash: new Uint8Array(),
    requestType: "",
    responseType: "",
    signalMethods: [],
    queryMethods: [],
    streaming: false,
  });
  const { index, revision } = await store.readIndex();
  const both = ["z.Z/One", "z.Z/Two"].map((name) =>
    store.replaceIndex({ workflow: [...index.workflow, entry(name)] }, revision),
  );
  expect((await Promise.all(both)).filter((isReplaced) => isReplaced)).toHaveLength(1);
  const after = await store.readIndex();
  expect(after.index.workflow).toHaveLength(index.workflow.length + 1);
  expect(await store.replaceIndex({ workflow: [...index.workflow] }, after.revision)).toBe(true);
});

test("deploys of different services at different orchestrators at the same time both hold", async () => {
  const empty = toNames("empty");
  await ensurePartitionsBucket(connection.connection, { names: empty, replicas: 1 });
  await ensureTopology(connection.connection, { names: empty, replicas: 1 }, 1, silentLog);
  await using one = await open(empty);
  await using other = await open(empty);
  const bench = await buildBench();
  const results = await Promise.all([one.deploy(bench, false), other.deploy(image, false)]);
  expect(results.map(({ kind }) => kind)).toEqual(["deployed", "deployed"]);
  for (const definitions of [one, other]) {
    await definitions.refresh();
    expect(definitions.list().map((entry) => entry.workflow)).toEqual(
      expect.arrayContaining(["bench.v1.Chain/One", workflow]),
    );
  }
});

async function consumersOfStore(): Promise<number> {
  const verb = `CONSUMER.NAMES.OBJ_${names.definitionsBucket}`;
  return (await askJetStream(connection.connection, verb, undefined)).consumers?.length ?? 0;
}

/** Another image, of another service. */
async function buildBench(): Promise<Uint8Array> {
  const built = await buildFolder(path.join(repositoryRoot, "test/bench/contract"));
  return built.kind === "built" ? built.image : new Uint8Array();
}
