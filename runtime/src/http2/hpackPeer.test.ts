import { once } from "node:events";
import http2 from "node:http2";
import net from "node:net";
import { afterEach, expect, test } from "vitest";
import { array, constantFrom, integer, oneof, sample, string, tuple } from "fast-check";
import { frame, headInPieces, settings } from "./testing/frames.ts";
import { frameType } from "./wire/frame.ts";
import { FrameReader } from "./wire/frameReader.ts";
import { HpackDecoder } from "./wire/hpackDecoder.ts";
import type { Field } from "./wire/hpackTable.ts";
import { setting } from "./wire/settings.ts";

// The encoder of node:http2 (nghttp2) as the peer: it chooses how each field is written, indexes, and lets entries go.

const open: Disposable[] = [];

afterEach(() => {
  for (const one of open.splice(0)) one[Symbol.dispose]();
});

const text = string({ unit: integer({ min: 33, max: 126 }).map((byte) => String.fromCharCode(byte)), maxLength: 120 });
const name = oneof(
  constantFrom("accept-ranges", "x-request-id", "grpc-status-details-bin", "via", "cache-control"),
  integer({ min: 0, max: 30 }).map((index) => `x-field-${index}`),
);
const value = oneof(constantFrom("one", "two", "a value that comes again and again"), text);
const lists = array(tuple(name, value), { maxLength: 12 });

/** Sends the lists one after the other on one connection, as headers of answers. */
async function serveLists(all: readonly (readonly Field[])[]): Promise<number> {
  const server = http2.createServer();
  server.on("stream", (stream) => {
    const list = all[((stream.id ?? 1) - 1) / 2] ?? [];
    stream.respond([":status", "200", ...list.flat()], { endStream: true });
  });
  server.on("session", (session) => open.push({ [Symbol.dispose]: () => session.destroy() }));
  open.push({ [Symbol.dispose]: () => void server.close() });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

test.each([0, 100, 1_000, 4_096])(
  "what nghttp2 writes with a table of %i bytes is read as it was meant",
  async (tableBytes) => {
    const all = sample(lists, 200).map((list) => list.filter(([, content]) => content !== ""));
    const socket = net.connect(await serveLists(all), "127.0.0.1");
    open.push({ [Symbol.dispose]: () => socket.destroy() });
    const decoder = new HpackDecoder(1_000_000);
    const read: (readonly Field[])[] = [];
    let count = 0;
    const done = Promise.withResolvers<void>();
    const reader = new FrameReader({
      onContent: () => undefined,
      onBlock: (streamId, block) => {
        read[(streamId - 1) / 2] = decoder.decode(block).fields;
        count += 1;
        if (count === all.length) done.resolve();
      },
      onFrame: (type, _, __, content) => {
        if (type === frameType.GOAWAY || type === frameType.RST_STREAM)
          done.reject(new Error(`nghttp2 complains, type ${type}: ${content.toString()}`));
      },
    });
    socket.on("data", (chunk) => reader.push(chunk));
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    socket.write(settings([setting.HEADER_TABLE_SIZE, tableBytes], [setting.ENABLE_PUSH, 0]));
    const ask: readonly Field[] = [
      [":method", "GET"],
      [":scheme", "http"],
      [":authority", "h"],
      [":path", "/"],
    ];
    for (const index of all.keys()) {
      socket.write(headInPieces(2 * index + 1, ask));
      socket.write(frame(frameType.DATA, 1, 2 * index + 1));
    }
    await done.promise;
    // Node adds the date, and may order what has the same name.
    for (const [index, list] of all.entries()) {
      const came = (read[index] ?? []).filter(([key]) => key !== "date" && key !== ":status");
      expect(came.toSorted(byText)).toEqual(list.toSorted(byText));
    }
  },
);

function byText(a: Field, b: Field): number {
  return a.join("=") < b.join("=") ? -1 : 1;
}
