import { expect, test } from "vitest";
import { connectTo } from "../../../test/support/connectTo.ts";
import { startNats } from "../../../test/support/nats.ts";
import type { Nats as Server } from "../../../test/support/nats.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { askJetStream } from "./jetstream.ts";
import { portionMax, readNext } from "./logNext.ts";

const stream = "LOG";

async function openLog(server: Server, messages: number, bytes: number): Promise<Nats> {
  const nats = await connectTo(server.url);
  await askJetStream(nats.connection, `STREAM.CREATE.${stream}`, {
    name: stream,
    subjects: ["log.>"],
    storage: "memory",
  });
  for (let index = 1; index < messages; index++) nats.connection.publish(`log.${index}`, new Uint8Array(bytes));
  await nats.connection.request(`log.${messages}`, new Uint8Array(bytes));
  return nats;
}

/** Sees each pull as nats-server does, when it comes. */
function watchPulls(nats: Nats, onPull: (request: { readonly batch: number }, consumer: string) => void): void {
  nats.connection.subscribe(`$JS.API.CONSUMER.MSG.NEXT.${stream}.*`, {
    callback: (_, message) => onPull(message.json(), message.subject.split(".").at(-1) ?? ""),
  });
}

test("a long part of a log comes in portions, each asked for when the last has come, and none is left out", async () => {
  await using server = await startNats();
  await using nats = await openLog(server, 2_000, 100);
  await using watching = await connectTo(server.url);
  const batches: number[] = [];
  watchPulls(watching, ({ batch }) => void batches.push(batch));
  await watching.connection.flush();
  for (const pace of ["at once", "among others"] as const) {
    batches.length = 0;
    const found = await readNext(nats, stream, 11, 1_000, pace);
    await watching.connection.flush();
    expect(found.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 1_000 }, (_, index) => index + 11));
    expect(found.map(({ subject }) => subject)).toEqual(found.map(({ sequence }) => `log.${sequence}`));
    expect(batches).toEqual([portionMax, 1_000 - portionMax]);
  }
  expect((await readNext(nats, stream, 1_990, 1_000)).map(({ sequence }) => sequence).at(-1)).toBe(2_000);
  expect(await readNext(nats, stream, 2_001, 1_000)).toEqual([]);
});

test("messages that are larger than a portion come one by one, and no more of them than memory is meant for", async () => {
  await using server = await startNats();
  await using nats = await openLog(server, 30, 300_000);
  const found = await readNext(nats, stream, 1, 1_000, "among others");
  expect(found.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 14 }, (_, index) => index + 1));
  expect(found.every(({ data }) => data.length === 300_000)).toBe(true);
});

test("a consumer that is gone says nothing about the end of the log", async () => {
  await using server = await startNats();
  await using nats = await openLog(server, 100, 100);
  const { connection } = nats;
  const request = connection.request.bind(connection);
  connection.request = async (subject, ...rest) => {
    const answer = await request(subject, ...rest);
    if (subject.includes("CONSUMER.CREATE")) await request(subject.replace("CREATE", "DELETE"));
    return answer;
  };
  await expect(readNext(nats, stream, 1, 50)).rejects.toThrow(/a pull from LOG was ended: 503/);
});
