import { createConnection, createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { connect, headers as toHeaders } from "@nats-io/transport-node";
import type { NatsConnection, NatsConnectionImpl } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { startNats } from "../../test/support/nats.ts";
import type { Nats } from "../../test/support/nats.ts";
import { subscribeRaw } from "./messageReader.ts";

interface Come {
  readonly subject: string;
  readonly behind: string;
  readonly replyTo: string;
  readonly data: string;
}

/** What a subscription is given, and what has a status. */
function listen(connection: NatsConnection, subject: string) {
  const come: Come[] = [];
  const statuses: number[] = [];
  const subscription = subscribeRaw(connection, subject, {
    take: (message) => {
      const data = Buffer.from(message.data()).toString("latin1");
      expect(message.dataText()).toBe(data);
      come.push({ subject: message.subject(), behind: message.subjectBehind(3), replyTo: message.replyTo(), data });
    },
    status: ({ headers }) => void statuses.push(headers?.code ?? -1),
  });
  return { subscription, come, statuses };
}

/** A way to the server on which all that it says comes in parts of these sizes, one after the other. */
async function openParts(nats: Nats, sizes: readonly number[]): Promise<AsyncDisposable & { readonly url: string }> {
  let next = 0;
  const server = createServer((client) => {
    const up = createConnection({ port: nats.port, host: "127.0.0.1" });
    client.setNoDelay(true).pipe(up);
    up.on("data", (bytes) => {
      for (let at = 0; at < bytes.length;) {
        const size = sizes[next++ % sizes.length] ?? 1;
        client.write(bytes.subarray(at, at + size));
        at += size;
      }
    });
    for (const [one, other] of [
      [client, up],
      [up, client],
    ] as const)
      one.on("error", () => undefined).on("close", () => other.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `nats://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}

const sizes = [0, 1, 12, 700, 40, 70_000, 0, 5, ...Array.from({ length: 200 }, (_, at) => at * 3)];
const wanted = sizes.map((size, at): Come => {
  const subject = `to.${at}${at % 7 === 0 ? ".überall" : ""}`;
  const replyTo = at % 2 === 0 ? `from.${at}` : "";
  return { subject, behind: subject.slice(3), replyTo, data: String.fromCharCode(65 + (at % 26)).repeat(size) };
});

/** What is `wanted`, with and without headers, and messages for others between. */
async function publishAll(connection: NatsConnection): Promise<void> {
  for (const [at, { subject, replyTo: reply, data }] of wanted.entries()) {
    const headers = toHeaders();
    headers.set("Name", "a value\tof it");
    connection.publish(subject, Buffer.from(data), {
      ...(reply === "" ? {} : { reply }),
      ...(at % 3 === 0 ? { headers } : {}),
    });
    if (at % 5 === 0) connection.publish("other", `${at}`);
  }
  await connection.flush();
}

/** How many messages the client has read itself from now on. */
function countByClient(connection: NatsConnection): () => number {
  const { protocol } = connection as NatsConnectionImpl;
  const read = protocol.processMsg.bind(protocol);
  let count = 0;
  protocol.processMsg = (message, data) => {
    count += 1;
    read(message, data);
  };
  return () => count;
}

test.each([[[100_000]], [[1_000, 3, 70, 1, 9_000]], [[1]]])(
  "messages of all kinds come whole and in order, in parts of %j bytes",
  async (parts) => {
    await using nats = await startNats();
    await using way = await openParts(nats, parts);
    const connection = await connect({ servers: way.url });
    const { come } = listen(connection, "to.>");
    const others: string[] = [];
    connection.subscribe("other", { callback: (_, message) => void others.push(message.string()) });
    await publishAll(connection);
    expect(come).toEqual(wanted);
    expect(others.length).toBe(Math.ceil(sizes.length / 5));
    const { inMsgs, inBytes, outMsgs, outBytes } = connection.stats();
    expect([inMsgs, inBytes]).toEqual([outMsgs, outBytes]);
    await connection.close();
  },
);

test("a reconnect that is told twice has nothing read twice", async () => {
  await using nats = await startNats();
  const connection = await connect({ servers: nats.url });
  listen(connection, "to.>");
  const { protocol } = connection as NatsConnectionImpl;
  const { parser } = protocol;
  const ours: unknown = Reflect.get(parser, "parse");
  protocol.dispatchStatus({ type: "reconnect", server: nats.url });
  await connection.flush();
  expect([protocol.parser === parser, Reflect.get(parser, "parse") === ours]).toEqual([true, true]);
  await connection.close();
});

test("a status is told as such, and what is asked of the server is answered beside it", async () => {
  await using nats = await startNats();
  const connection = await connect({ servers: nats.url });
  const { come, statuses } = listen(connection, "to.*");
  connection.publish("nobody.listens", "", { reply: "to.me" });
  connection.subscribe("echo", { callback: (_, message) => void message.respond(message.data) });
  expect((await connection.request("echo", "so")).string()).toBe("so");
  await connection.flush();
  expect([come, statuses]).toEqual([[], [503]]);
  await connection.close();
});

test("nothing comes any more once it is unsubscribed, and all that was on its way when it is drained", async () => {
  await using nats = await startNats();
  const connection = await connect({ servers: nats.url });
  const drained = listen(connection, "to.>");
  const ended = listen(connection, "to.>");
  for (let at = 0; at < 10; at++) connection.publish(`to.${at}`, "");
  ended.subscription.unsubscribe();
  await drained.subscription.drain();
  expect([drained.come.length, ended.come.length]).toEqual([10, 0]);
  connection.publish("to.late", "");
  await connection.flush();
  expect(drained.come.length).toBe(10);
  await connection.close();
});

test("it goes on over a reconnect, without the client reading for it", async () => {
  await using nats = await startNats();
  const connection = await connect({ servers: nats.url, reconnectTimeWait: 20, maxReconnectAttempts: -1 });
  const { come } = listen(connection, "to.>");
  const back = (async () => {
    for await (const { type } of connection.status()) if (type === "reconnect") return;
  })();
  await nats.restart();
  await back;
  await connection.flush();
  const byClient = countByClient(connection);
  await publishAll(connection);
  expect(come).toEqual(wanted);
  // Those with headers alone, and those that came in parts.
  expect(byClient()).toBeLessThan(10);
  await connection.close();
});
