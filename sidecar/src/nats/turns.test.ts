import { jetstreamManager } from "@nats-io/jetstream";
import { expect, test } from "vitest";
import { toNames } from "../../../proto/wire/subjects.ts";
import { pause } from "../../../runtime/src/pause.ts";
import { openPublisher } from "../../../runtime/src/publisher.ts";
import type { Publisher } from "../../../runtime/src/publisher.ts";
import { connectTo } from "../../../test/support/connectTo.ts";
import { startNats } from "../../../test/support/nats.ts";
import { openTurns } from "./turns.ts";

test("a clock is compared again while acknowledgements take long: the narrowest look counts", async () => {
  await using server = await startNats();
  await using nats = await connectTo(server.url);
  const names = toNames();
  const manager = await jetstreamManager(nats.connection);
  await manager.streams.add({
    name: `KV_${names.limitsBucket}`,
    subjects: [`$KV.${names.limitsBucket}.>`],
    max_msgs_per_subject: 1,
    allow_direct: true,
    allow_msg_ttl: true,
  });
  using publisher = openPublisher(nats.connection);
  // As when this process gets a processor 600 ms after the acknowledgement has come.
  const delaysMs = [600, 1, 300];
  let clocksRead = 0;
  const late: Pick<Publisher, "publish"> = {
    publish: async (subject, ...rest) => {
      const answer = await publisher.publish(subject, ...rest);
      if (subject.includes(".clock.")) await pause(delaysMs[clocksRead++] ?? 300);
      return answer;
    },
  };
  const turns = openTurns(nats, late, names, "s");
  const rate = { calls: 1000, perMs: 1000 };
  const limit = { method: "a.v1.A/B", rate, sinceMs: 1, concurrency: 0, concurrencyPerSidecar: 0, isLifted: false };
  expect(await turns.take(limit, 1)).toMatchObject({ kind: "turns" });
  expect(clocksRead).toBeGreaterThan(1);
  expect(Math.abs(turns.now() - Date.now())).toBeLessThan(200);
});
