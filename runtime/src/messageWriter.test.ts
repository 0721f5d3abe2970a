import { connect } from "@nats-io/transport-node";
import type { Msg } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { startNats } from "../../test/support/nats.ts";
import { MessageWriter } from "./messageWriter.ts";

test("messages of all sizes come as they were written, in their order, with their headers and where to answer", async () => {
  await using nats = await startNats();
  const connection = await connect({ servers: nats.url });
  const come: Msg[] = [];
  connection.subscribe("to.>", { callback: (_, message) => void come.push(message) });
  const writer = new MessageWriter(connection);
  // Many of them fill the memory that they are written into; those above 16 KiB are not written there.
  const sizes = [0, 1, 700, 16 * 1024, 16 * 1024 + 1, 200_000, 0, 5, ...Array.from({ length: 300 }, (_, at) => at * 3)];
  for (const [at, size] of sizes.entries()) {
    const data = new Uint8Array(size).fill(at);
    writer.write(`to.${at}`, data, at % 2 === 0 ? `from.${at}` : "", at % 3 === 0 ? `Name: välue ${at}\r\n` : "");
    // It is copied, or on its way.
    if (size <= 16 * 1024) data.fill(255);
  }
  writer.flush();
  await connection.flush();
  expect(come.map(({ subject }) => subject)).toEqual(sizes.map((_, at) => `to.${at}`));
  for (const [at, size] of sizes.entries()) {
    const message = come[at];
    expect(message?.data.length).toBe(size);
    expect(message?.data.every((byte) => byte === at % 256)).toBe(true);
    expect(message?.reply ?? "").toBe(at % 2 === 0 ? `from.${at}` : "");
    expect(message?.headers?.get("Name") ?? "").toBe(at % 3 === 0 ? `välue ${at}` : "");
  }
  expect(connection.stats().outMsgs).toBe(sizes.length);
  await connection.close();
});

test("what the connection would not publish is refused as there", async () => {
  await using nats = await startNats();
  const connection = await connect({ servers: nats.url });
  const writer = new MessageWriter(connection);
  const refusal = (write: () => void): string => {
    try {
      write();
      return "";
    } catch (error) {
      return error instanceof Error ? error.name : "";
    }
  };
  const nothing = new Uint8Array();
  const both = (subject: string, data: Uint8Array): readonly string[] => [
    refusal(() => writer.write(subject, data, "", "")),
    refusal(() => connection.publish(subject, data)),
  ];
  expect(both("", nothing)).toEqual(["InvalidSubjectError", "InvalidSubjectError"]);
  expect(both("a\r\nPUB b 0\r\n", nothing)).toEqual(["InvalidSubjectError", "InvalidSubjectError"]);
  expect(both("a", new Uint8Array(2_000_000))).toEqual(["InvalidArgumentError", "InvalidArgumentError"]);
  expect(both("a", nothing)).toEqual(["", ""]);
  await connection.close();
  expect(both("a", nothing)).toEqual(["ClosedConnectionError", "ClosedConnectionError"]);
});
