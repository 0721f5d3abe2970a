import { jetstreamManager } from "@nats-io/jetstream";
import { expect, test } from "vitest";
import { toNames } from "../../../proto/wire/subjects.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { logger } from "../../../runtime/src/log.ts";
import { openPublisher } from "../../../runtime/src/publisher.ts";
import { connectTo } from "../../../test/support/connectTo.ts";
import { startNats } from "../../../test/support/nats.ts";
import { openKeptSweep } from "./keptSweep.ts";
import { toRunPayloads } from "./payloads.ts";
import { ensurePartitionsBucket, ensureTopology } from "./topology.ts";

const names = toNames();
const silent = logger("test", { write: () => undefined });

test("a request that was kept apart and that nobody took is removed once it is old, and no payload of a run is", async () => {
  await using server = await startNats();
  await using nats = await connectTo(server.url);
  const { connection } = nats;
  await ensurePartitionsBucket(connection, { names, replicas: 1 });
  await ensureTopology(connection, { names, replicas: 1 }, 1, silent);
  using publisher = openPublisher(connection);
  const payloads = toRunPayloads(nats, names, publisher);
  const { signal } = new AbortController();
  const large = Buffer.alloc(600 * 1024, 7);
  const kept = `ffff${"0".repeat(28)}`;
  const run = "0198c0ffee0010008000000000000001";
  const put = (runId: string) => payloads.put("shop.v1.Orders", runId as RunId, large, signal);
  const ofRun = await put(run);
  await put(kept);
  const manager = await jetstreamManager(connection);
  const left = async (): Promise<number> => (await manager.streams.info(names.payloadsStream)).state.messages;
  // Two chunks each.
  expect(await left()).toBe(4);
  let now = Date.now();
  let isOurs = false;
  let looks = 0;
  const isOursNow = (): boolean => {
    looks++;
    return isOurs;
  };
  const options = { nats, names, payloads, log: silent, isOurs: isOursNow, now: () => now, everyMs: 50 };
  using _ = openKeptSweep(options);
  now += 600_000;
  await expect.poll(() => looks).toBeGreaterThan(4);
  expect(await left()).toBe(4);
  isOurs = true;
  await expect.poll(left, { timeout: 10_000 }).toBe(2);
  expect(Buffer.compare((await payloads.get(ofRun)) ?? Buffer.alloc(0), large)).toBe(0);
  // One that is young stays until it is not.
  now = Date.now();
  await put(`ffff${"1".repeat(28)}`);
  const before = looks;
  await expect.poll(() => looks, { timeout: 10_000 }).toBeGreaterThan(before + 3);
  expect(await left()).toBe(4);
  now += 600_000;
  await expect.poll(left, { timeout: 10_000 }).toBe(2);
  expect(Buffer.compare((await payloads.get(ofRun)) ?? Buffer.alloc(0), large)).toBe(0);
});
