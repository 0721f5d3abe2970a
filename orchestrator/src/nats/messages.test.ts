import { jetstreamManager } from "@nats-io/jetstream";
import { expect, test } from "vitest";
import { toNames } from "../../../proto/wire/subjects.ts";
import { openPublisher } from "../../../runtime/src/publisher.ts";
import { connectTo } from "../../../test/support/connectTo.ts";
import { startNats } from "../../../test/support/nats.ts";
import { toMessages } from "./messages.ts";

const within = { signal: AbortSignal.timeout(20_000) };
const message = {
  subject: "shop.orders.placed",
  type: "shop.v1.OrderPlaced",
  id: "run/step/g0",
  headers: [["sidestep-run-id", "run"]],
  data: Buffer.from("placed"),
} as const;

test("a message is stored once however often it is published, and says what it is", async () => {
  await using server = await startNats();
  await using nats = await connectTo(server.url);
  using publisher = openPublisher(nats.connection);
  const messages = toMessages(nats, toNames(), publisher);
  const manager = await jetstreamManager(nats.connection);
  await manager.streams.add({ name: "SHOP", subjects: ["shop.>"] });
  expect(await messages.publish(message, within)).toEqual({ kind: "stored", sequence: 1 });
  expect(await messages.publish(message, within)).toEqual({ kind: "stored", sequence: 1 });
  expect((await manager.streams.info("SHOP")).state.messages).toBe(1);
  const stored = await manager.streams.getMessage("SHOP", { seq: 1 });
  expect(stored?.string()).toBe("placed");
  const headers = ["Nats-Msg-Id", "sidestep-run-id", "content-type", "sidestep-type"].map((name) =>
    stored?.header.get(name),
  );
  expect(headers).toEqual(["run/step/g0", "run", "application/protobuf", "shop.v1.OrderPlaced"]);
});

test("a message that no stream would take is rejected at once, also when somebody listens", async () => {
  await using server = await startNats();
  await using nats = await connectTo(server.url);
  using publisher = openPublisher(nats.connection, { timeoutMs: 200 });
  const messages = toMessages(nats, toNames(), publisher);
  const rejected = { kind: "rejected", reason: "no stream has the subject shop.orders.placed" };
  expect(await messages.publish(message, within)).toEqual(rejected);
  nats.connection.subscribe("shop.>");
  expect(await messages.publish(message, within)).toEqual(rejected);
});

test("a message is tried again while the server is away, and stored", async () => {
  await using server = await startNats();
  await using nats = await connectTo(server.url);
  using publisher = openPublisher(nats.connection);
  const messages = toMessages(nats, toNames(), publisher);
  const manager = await jetstreamManager(nats.connection);
  await manager.streams.add({ name: "SHOP", subjects: ["shop.>"] });
  await server.kill9();
  const published = messages.publish(message, within);
  await server.restart();
  expect(await published).toEqual({ kind: "stored", sequence: 1 });
});

test.each([
  ["sidestep.log.0.x.e", "'sidestep.log.0.x.e' belongs to Sidestep"],
  ["sidestep", "'sidestep' belongs to Sidestep"],
  ["$JS.API.STREAM.DELETE.X", "'$JS.API.STREAM.DELETE.X' belongs to the NATS server"],
  ["_INBOX.x.1", "'_INBOX.x.1' belongs to the NATS server"],
  ["shop.*", "'shop.*' is no subject to publish to"],
  ["shop..a", "'shop..a' is no subject to publish to"],
  ["shop a", "'shop a' is no subject to publish to"],
  ["", "'' is no subject to publish to"],
])("nothing goes to the subject %j", async (subject, reason) => {
  await using server = await startNats();
  await using nats = await connectTo(server.url);
  using publisher = openPublisher(nats.connection);
  const messages = toMessages(nats, toNames(), publisher);
  expect(await messages.publish({ ...message, subject }, within)).toEqual({ kind: "rejected", reason });
});
