import { headers } from "@nats-io/transport-node";
import type { Msg } from "@nats-io/transport-node";
import { afterEach, expect, test, vi } from "vitest";
import { connectTo } from "../../../test/support/connectTo.ts";
import { startNats } from "../../../test/support/nats.ts";
import { openDirectGets } from "./directGet.ts";

afterEach(() => void vi.useRealTimers());

const nothing = { headers: headers(404, "Not Found") };

test("a read that nobody answers is asked for once more when its stream is known to have copies, however long that took to learn", async () => {
  await using server = await startNats();
  await using nats = await connectTo(server.url);
  const asked: Msg[] = [];
  nats.connection.subscribe("$JS.API.DIRECT.GET.LOG", { callback: (_, message) => void asked.push(message) });
  // Their leader is being elected.
  const learned = Promise.withResolvers<boolean>();
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
  using directGets = openDirectGets(nats, { has: () => learned.promise });
  const read = directGets.read("LOG", "log.a", 1);
  vi.advanceTimersByTime(2_000);
  await nats.connection.flush();
  const before = asked.length;
  learned.resolve(false);
  await learned.promise;
  await nats.connection.flush();
  await nats.connection.flush();
  const after = asked.length;
  vi.advanceTimersByTime(400);
  asked[0]?.respond("", nothing);
  expect(await read).toEqual([]);
  expect([before, after]).toEqual([1, 2]);
  expect(vi.getTimerCount()).toBe(0);
});
