import { expect, test } from "vitest";
import { frame, head, number, settings } from "./testing/frames.ts";
import { readyServerSession, request, requestFields } from "./testing/openServerSession.ts";
import { errorCode, frameType, uint32At } from "./wire/frame.ts";
import { setting } from "./wire/settings.ts";

const { DATA, GOAWAY, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE } = frameType;
const { CANCEL, ENHANCE_YOUR_CALM } = errorCode;
const times = 5_000;
const ids = Array.from({ length: times }, (_, index) => 2 * index + 3);

function repeated(bytes: Uint8Array): readonly Uint8Array[] {
  return Array.from({ length: times }, () => bytes);
}

test.each<readonly [string, readonly Uint8Array[]]>([
  ["pings", repeated(frame(PING, 0, 0, Buffer.alloc(8)))],
  ["answers to pings", repeated(frame(PING, 1, 0, Buffer.alloc(8)))],
  ["settings", repeated(settings())],
  ["confirmations of settings", repeated(frame(SETTINGS, 1, 0))],
  ["empty content", repeated(frame(DATA, 0, 1))],
  ["padding", repeated(frame(DATA, 8, 1, Buffer.from([3, 0, 0, 0])))],
  ["priorities", repeated(frame(PRIORITY, 0, 1, Buffer.alloc(5)))],
  ["windows that nobody waits for", repeated(frame(WINDOW_UPDATE, 0, 0, number(1)))],
  ["windows of a stream", repeated(frame(WINDOW_UPDATE, 0, 1, number(1)))],
  ["unknown frames", repeated(frame(0x55, 0, 1))],
  ["farewells", repeated(frame(GOAWAY, 0, 0, Buffer.alloc(8)))],
  [
    "requests that are broken off (CVE-2023-44487)",
    ids.map((id) => Buffer.concat([request(id), frame(RST_STREAM, 0, id, number(CANCEL))])),
  ],
  [
    "requests that we have to break off (CVE-2025-8671)",
    ids.map((id) => Buffer.concat([head(id, requestFields), frame(WINDOW_UPDATE, 0, id, number(0))])),
  ],
  ["requests that can't be", ids.map((id) => head(id, [[":path", "/"]]))],
  ["requests beyond those that are open at a time", ids.map((id) => head(id, requestFields))],
  ["frames of a stream that is over", [request(3), frame(RST_STREAM, 0, 3, number(8)), ...repeated(frame(DATA, 0, 3))]],
])("%s without end end the connection", (_, frames) => {
  const { session, sent, over } = readyServerSession([], { isHeld: true });
  session.receive(head(1, requestFields));
  for (const one of frames) session.receive(one);
  expect(over).toHaveLength(1);
  const last = sent().at(-1);
  expect([last?.type, uint32At(last?.content ?? Buffer.alloc(8), 4)]).toEqual([GOAWAY, ENHANCE_YOUR_CALM]);
});

test("windows that let out nothing of what waits are a flood, and those that let out a byte each are none", () => {
  const { session, over, requests } = readyServerSession([[setting.INITIAL_WINDOW_SIZE, 0]], { isHeld: true });
  session.receive(Buffer.concat([request(1), request(3)]));
  for (const { stream } of requests) session.sendContent(stream, new Uint8Array(), Buffer.alloc(10_000));
  for (let count = 0; count < times; count += 1) session.receive(frame(WINDOW_UPDATE, 0, 3, number(1)));
  expect(over).toEqual([]);
  for (let count = 0; count < times; count += 1) session.receive(frame(WINDOW_UPDATE, 0, 0, number(1)));
  expect(over).toHaveLength(1);
});

test("who opens windows while its socket is slow is no flood, as long as something goes out", () => {
  let unwrittenBytes = 0;
  const { session, sent, over, requests } = readyServerSession([], {
    isHeld: true,
    unwrittenBytes: () => unwrittenBytes,
  });
  session.receive(request(1));
  const [one] = requests;
  if (one === undefined) throw new Error("no request came");
  session.sendContent(one.stream, new Uint8Array(), Buffer.alloc(200_000));
  for (let count = 0; count < times; count += 1) {
    unwrittenBytes = 1_000_000;
    session.receive(frame(WINDOW_UPDATE, 0, 0, number(10)));
    session.receive(frame(WINDOW_UPDATE, 0, 1, number(10)));
    unwrittenBytes = 0;
    session.resume();
    sent();
  }
  expect(over).toEqual([]);
});

test("what eager clients do with each call is no flood", () => {
  const { session, sent, over } = readyServerSession();
  for (const id of ids) {
    session.receive(request(id));
    session.receive(frame(PING, 0, 0, Buffer.alloc(8)));
    session.receive(frame(WINDOW_UPDATE, 0, 0, number(5)));
    session.receive(frame(WINDOW_UPDATE, 0, id, number(5)));
    sent();
  }
  expect(over).toEqual([]);
});

test("who listens to a stream and asks for the next message each time is no flood", () => {
  const { session, sent, over, requests } = readyServerSession([], { isHeld: true });
  session.receive(request(1));
  for (let count = 0; count < times; count += 1) {
    const [one] = requests;
    if (one !== undefined) session.sendContent(one.stream, Buffer.from("a"), Buffer.from("bc"));
    session.receive(frame(WINDOW_UPDATE, 0, 0, number(3)));
    session.receive(frame(WINDOW_UPDATE, 0, 1, number(3)));
    sent();
  }
  expect(over).toEqual([]);
});

test("a thousand callers may leave at once, and a hundred in each second", () => {
  let nowMs = 0;
  const { session, over } = readyServerSession([], { isHeld: true, now: () => nowMs });
  const left = (id: number) => Buffer.concat([request(id), frame(RST_STREAM, 0, id, number(CANCEL))]);
  for (const id of ids.slice(0, 1_000)) session.receive(left(id));
  for (const [index, id] of ids.slice(1_000, 3_000).entries()) {
    if (index % 100 === 0) nowMs += 1_000;
    session.receive(left(id));
  }
  expect(over).toEqual([]);
  for (const id of ids.slice(3_000, 3_200)) session.receive(left(id));
  expect(over).toHaveLength(1);
});

test("calls that were open for a second may be broken off at any rate", () => {
  let nowMs = 0;
  const { session, over } = readyServerSession([], { isHeld: true, now: () => nowMs });
  for (let second = 0; second < 10; second += 1) {
    const some = ids.slice(500 * second, 500 * (second + 1));
    for (const id of some) session.receive(request(id));
    nowMs += 1_000;
    for (const id of some) session.receive(frame(RST_STREAM, 0, id, number(CANCEL)));
  }
  expect(over).toEqual([]);
});

test("a block of headers that is read by the last table means what it meant", () => {
  const { session, requests } = readyServerSession();
  const indexed = Buffer.concat([
    Buffer.from("838604", "hex"),
    Buffer.from([6]),
    Buffer.from("/a.B/C"),
    Buffer.from("40 01 78 01 31".replaceAll(" ", ""), "hex"),
  ]);
  const again = Buffer.concat([indexed.subarray(0, -5), Buffer.from("be", "hex")]);
  const blocks = [indexed, again, again, Buffer.concat([indexed.subarray(0, -1), Buffer.from("2")]), again];
  for (const [index, block] of blocks.entries()) session.receive(frame(HEADERS, 5, 2 * index + 1, block));
  expect(requests.map(({ head: { fields } }) => fields[0]?.[1])).toEqual(["1", "1", "1", "2", "2"]);
});
