import { connect } from "@nats-io/transport-node";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { expect, test } from "vitest";
import { startNats } from "./nats.ts";

test("what a killed server has acknowledged is there after its restart on the same address", async () => {
  await using nats = await startNats();
  const before = await connect({ servers: nats.url, reconnect: false });
  await (await jetstreamManager(before)).streams.add({ name: "KEPT", subjects: ["kept"] });
  await jetstream(before).publish("kept", "one");
  const pid = nats.pid();

  await nats.kill9();
  await before.closed();
  await nats.restart();

  const after = await connect({ servers: nats.url });
  const stream = await (await jetstreamManager(after)).streams.info("KEPT");
  await after.close();
  expect(stream.state.messages).toBe(1);
  expect(nats.pid()).not.toBe(pid);
});

test("two servers stand beside each other", async () => {
  await using first = await startNats();
  await using second = await startNats();
  expect(first.port).not.toBe(second.port);
  expect(Math.max(first.port, second.port)).toBeLessThan(32_768);
});
