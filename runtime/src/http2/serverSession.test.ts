import { expect, test } from "vitest";
import { preface } from "./frameWriter.ts";
import { frame, goAway, head, headInPieces, number, settings } from "./testing/frames.ts";
import {
  okHead,
  okTrailers,
  openServerSession,
  readyServerSession,
  request,
  requestFields,
} from "./testing/openServerSession.ts";
import { contentBytes, types } from "./testing/openSession.ts";
import { errorCode, frameType, uint32At } from "./wire/frame.ts";
import { HpackDecoder } from "./wire/hpackDecoder.ts";
import { encodeFields } from "./wire/hpackEncoder.ts";
import { setting } from "./wire/settings.ts";

const { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION } =
  frameType;
const {
  PROTOCOL_ERROR,
  FLOW_CONTROL_ERROR,
  FRAME_SIZE_ERROR,
  COMPRESSION_ERROR,
  ENHANCE_YOUR_CALM,
  STREAM_CLOSED,
  REFUSED_STREAM,
  NO_ERROR,
} = errorCode;
const without = (name: string) => requestFields.filter(([key]) => key !== name);
const mebibyte = 1024 * 1024;

test("the first words are settings and a large window; those of the client are confirmed", () => {
  const { session, sent } = openServerSession();
  expect(types(sent())).toEqual([SETTINGS, WINDOW_UPDATE]);
  session.receive(Buffer.concat([preface, settings()]));
  expect(sent()).toMatchObject([{ type: SETTINGS, flags: 1 }]);
});

test("a small call is answered by three frames, in one piece", () => {
  const { session, sent, requests } = readyServerSession();
  session.receive(request(1));
  expect(requests[0]?.head).toMatchObject({ method: "POST", path: "/a.B/C", fields: [["te", "trailers"]] });
  expect(sent()).toMatchObject([
    { type: HEADERS, flags: 4, streamId: 1, content: Buffer.from(okHead) },
    { type: DATA, flags: 0, streamId: 1, content: Buffer.from("hello") },
    { type: HEADERS, flags: 5, streamId: 1, content: Buffer.from(okTrailers) },
  ]);
  expect(requests[0]?.told).toEqual(["whole", "over"]);
});

const block = encodeFields([...requestFields, ["x-long", "y".repeat(200)]]);
const padded = Buffer.concat([Buffer.from([3]), Buffer.from("hel"), Buffer.alloc(3)]);
const whole = Buffer.concat([
  preface,
  settings([setting.ENABLE_PUSH, 1], [setting.MAX_FRAME_SIZE, 20_000]),
  frame(HEADERS, 0x20, 1, Buffer.concat([Buffer.alloc(5), block.subarray(0, 10)])),
  frame(CONTINUATION, 0, 1, block.subarray(10, 20)),
  frame(CONTINUATION, 0, 1),
  frame(CONTINUATION, 4, 1, block.subarray(20)),
  frame(PRIORITY, 0, 9, Buffer.alloc(5)),
  frame(0x77, 0xff, 9, Buffer.from("nobody knows it")),
  frame(DATA, 8, 1, padded),
  frame(PING, 0, 0, Buffer.alloc(8)),
  frame(DATA, 0, 1, Buffer.from("lo")),
  goAway(0),
  head(1, [["x-trailer", "1"]], true),
]);

test("a request is the same wherever its bytes are split: padding, priorities, continuations, trailers, unknown frames", () => {
  const splits = Array.from({ length: whole.length }, (_, at) => [whole.subarray(0, at), whole.subarray(at)]);
  const byteByByte = Array.from(whole, (byte) => Buffer.from([byte]));
  for (const chunks of [...splits, byteByByte]) {
    const { session, requests, sent, over } = openServerSession();
    for (const chunk of chunks) session.receive(chunk);
    expect(requests).toHaveLength(1);
    expect(requests[0]?.head.fields).toContainEqual(["x-long", "y".repeat(200)]);
    expect(requests[0]?.content.toString()).toBe("hello");
    expect(contentBytes(sent())).toBe(5);
    expect(over).toEqual([]);
  }
});

test("what is no client of HTTP/2 is told, and the connection is over", () => {
  const { session, over, requests } = openServerSession();
  session.receive(Buffer.from("GET / HTTP/1.1\r\nhost: a\r\n\r\n"));
  expect(over).toEqual(["the client broke HTTP/2: it does not begin as HTTP/2 does"]);
  expect(requests).toEqual([]);
});

test.each<readonly [string, number, Uint8Array]>([
  ["a frame that is too long", FRAME_SIZE_ERROR, frame(DATA, 0, 1, Buffer.alloc(16_385))],
  ["DATA of no stream", PROTOCOL_ERROR, frame(DATA, 0, 0, Buffer.alloc(1))],
  ["DATA of a stream that is not open yet", PROTOCOL_ERROR, frame(DATA, 0, 3, Buffer.alloc(1))],
  ["HEADERS of a stream of ours", PROTOCOL_ERROR, head(2, requestFields)],
  ["HEADERS of no stream", PROTOCOL_ERROR, head(0, requestFields)],
  ["RST_STREAM of a stream that is not open yet", PROTOCOL_ERROR, frame(RST_STREAM, 0, 3, number(8))],
  ["a window of a stream that is not open yet", PROTOCOL_ERROR, frame(WINDOW_UPDATE, 0, 3, number(8))],
  ["a window that grows by nothing", PROTOCOL_ERROR, frame(WINDOW_UPDATE, 0, 0, number(0))],
  ["a window that overflows", FLOW_CONTROL_ERROR, frame(WINDOW_UPDATE, 0, 0, number(0x7fff_ffff))],
  ["a push", PROTOCOL_ERROR, frame(PUSH_PROMISE, 4, 1, Buffer.alloc(8))],
  ["SETTINGS of a stream", PROTOCOL_ERROR, frame(SETTINGS, 0, 1)],
  ["SETTINGS of a wrong size", FRAME_SIZE_ERROR, frame(SETTINGS, 0, 0, Buffer.alloc(5))],
  ["ENABLE_PUSH that is neither 0 nor 1", PROTOCOL_ERROR, settings([setting.ENABLE_PUSH, 2])],
  ["an initial window that can't be", FLOW_CONTROL_ERROR, settings([setting.INITIAL_WINDOW_SIZE, 0x8000_0000])],
  ["a frame size that can't be", PROTOCOL_ERROR, settings([setting.MAX_FRAME_SIZE, 100])],
  ["PING of a wrong size", FRAME_SIZE_ERROR, frame(PING, 0, 0, Buffer.alloc(7))],
  ["a CONTINUATION that continues nothing", PROTOCOL_ERROR, frame(CONTINUATION, 4, 1)],
  [
    "a frame within a block of headers",
    PROTOCOL_ERROR,
    Buffer.concat([frame(HEADERS, 0, 3, block), frame(PING, 0, 0, Buffer.alloc(8))]),
  ],
  ["a block that is not HPACK", COMPRESSION_ERROR, frame(HEADERS, 4, 3, Buffer.from("ff".repeat(9), "hex"))],
  ["more padding than content", PROTOCOL_ERROR, frame(DATA, 8, 1, Buffer.from([9, 1]))],
  [
    "a block of headers without an end (CVE-2024-27316)",
    ENHANCE_YOUR_CALM,
    Buffer.concat([frame(HEADERS, 0, 3, block), ...Array.from({ length: 100 }, () => frame(CONTINUATION, 0, 3))]),
  ],
])("%s ends the connection", (_, code, bytes) => {
  const { session, sent, over, requests } = readyServerSession([], { isHeld: true });
  session.receive(head(1, requestFields));
  session.receive(bytes);
  const last = sent().at(-1);
  expect([last?.type, uint32At(last?.content ?? Buffer.alloc(8), 4)]).toEqual([GOAWAY, code]);
  expect(uint32At(last?.content ?? Buffer.alloc(8), 0)).toBe(1);
  expect(over).toHaveLength(1);
  expect(requests.map(({ told }) => told.at(-1))).toEqual(["over"]);
});

test("before its settings a client can say nothing", () => {
  for (const bytes of [head(1, requestFields), frame(PING, 0, 0, Buffer.alloc(8)), frame(SETTINGS, 1, 0)]) {
    const { session, over, requests } = openServerSession();
    session.receive(Buffer.concat([preface, bytes]));
    expect([over.length, requests.length]).toEqual([1, 0]);
  }
});

test.each<readonly [string, number, Uint8Array]>([
  ["no method", PROTOCOL_ERROR, head(1, without(":method"))],
  ["no scheme", PROTOCOL_ERROR, head(1, without(":scheme"))],
  ["no path", PROTOCOL_ERROR, head(1, without(":path"))],
  ["an empty path", PROTOCOL_ERROR, head(1, [...without(":path").slice(0, 2), [":path", ""]])],
  ["a status", PROTOCOL_ERROR, head(1, [[":status", "200"], ...requestFields])],
  ["a path twice", PROTOCOL_ERROR, head(1, [[":path", "/"], ...requestFields])],
  ["a pseudo-header behind others", PROTOCOL_ERROR, head(1, [...requestFields, [":authority", "a"]])],
  ["capital letters", PROTOCOL_ERROR, head(1, [...requestFields, ["X-Own", "1"]])],
  ["a line break", PROTOCOL_ERROR, head(1, [...requestFields, ["x-own", "a\nb"]])],
  ["a header of HTTP/1", PROTOCOL_ERROR, head(1, [...requestFields, ["connection", "close"]])],
  ["te that is not trailers", PROTOCOL_ERROR, head(1, [...requestFields, ["te", "gzip"]])],
  ["a length that is none", PROTOCOL_ERROR, head(1, [...requestFields, ["content-length", "-1"]])],
  ["nothing but trailers", PROTOCOL_ERROR, head(1, [["x", "y"]], true)],
  ["too many headers", ENHANCE_YOUR_CALM, headInPieces(1, [...requestFields, ["x", "v".repeat(70_000)]])],
  [
    "more content than announced",
    PROTOCOL_ERROR,
    Buffer.concat([
      head(1, [...requestFields, ["content-length", "2"]]),
      frame(DATA, 0, 1, Buffer.from("abc")),
      frame(DATA, 1, 1),
    ]),
  ],
  [
    "less content than announced",
    PROTOCOL_ERROR,
    Buffer.concat([head(1, [...requestFields, ["content-length", "4"]]), frame(DATA, 1, 1, Buffer.from("abc"))]),
  ],
  ["headers twice", PROTOCOL_ERROR, Buffer.concat([head(1, requestFields), head(1, requestFields)])],
  ["trailers that are not the end", PROTOCOL_ERROR, Buffer.concat([head(1, requestFields), head(1, [["x", "y"]])])],
  [
    "content after the end",
    STREAM_CLOSED,
    Buffer.concat([head(1, requestFields, true), frame(DATA, 0, 1, Buffer.from("x"))]),
  ],
  ["headers after the end", STREAM_CLOSED, Buffer.concat([head(1, requestFields, true), head(1, [["x", "y"]], true)])],
  [
    "a window that grows by nothing",
    PROTOCOL_ERROR,
    Buffer.concat([head(1, requestFields), frame(WINDOW_UPDATE, 0, 1, number(0))]),
  ],
  [
    "a window that overflows",
    FLOW_CONTROL_ERROR,
    Buffer.concat([head(1, requestFields), frame(WINDOW_UPDATE, 0, 1, number(0x7fff_ffff))]),
  ],
])("a request with %s is broken off, and others go on", (_, code, bytes) => {
  const { session, sent, over, requests } = readyServerSession([], { isHeld: true });
  session.receive(bytes);
  const reset = sent().find(({ type }) => type === RST_STREAM);
  expect([reset?.streamId, uint32At(reset?.content ?? Buffer.alloc(4), 0)]).toEqual([1, code]);
  for (const one of requests) expect(one.told.at(-1)).toBe("over");
  session.receive(request(3, Buffer.from("next")));
  expect(requests.at(-1)?.told).toEqual(["whole"]);
  expect(requests.at(-1)?.content.toString()).toBe("next");
  expect(over).toEqual([]);
});

test("a client may send on and on: what has come is given back to its windows", () => {
  const { session, sent, over } = readyServerSession([], { isHeld: true });
  session.receive(head(1, requestFields));
  let ofStream = mebibyte;
  let ofConnection = 16 * mebibyte;
  for (let count = 0; count < 2_200; count += 1) {
    session.receive(frame(DATA, 0, 1, Buffer.alloc(16_384)));
    for (const { type, streamId, content } of sent()) {
      expect(type).toBe(WINDOW_UPDATE);
      if (streamId === 1) ofStream += uint32At(content, 0);
      else ofConnection += uint32At(content, 0);
    }
    ofStream -= 16_384;
    ofConnection -= 16_384;
    expect(Math.min(ofStream, ofConnection)).toBeGreaterThan(0);
  }
  expect(Math.max(ofStream, ofConnection)).toBeLessThanOrEqual(16 * mebibyte);
  expect(over).toEqual([]);
});

test("more requests than are taken at a time are refused, and what is over makes room", () => {
  const { session, sent, requests, answer } = readyServerSession([], { streamsMax: 2, isHeld: true });
  for (const id of [1, 3, 5]) session.receive(request(id));
  expect(sent()).toMatchObject([{ type: RST_STREAM, streamId: 5, content: number(REFUSED_STREAM) }]);
  const [first] = requests;
  if (first !== undefined) answer(first);
  session.receive(request(7));
  expect(requests.map(({ stream }) => stream.id)).toEqual([1, 3, 7]);
});

test("an answer before the request is whole ends both, and what still comes is dropped", () => {
  const { session, sent, requests, over } = readyServerSession([], { isHeld: true });
  session.receive(head(1, requestFields));
  const [one] = requests;
  if (one === undefined) throw new Error("no request came");
  session.sendHead(one.stream, okTrailers, true);
  expect(sent()).toMatchObject([
    { type: HEADERS, flags: 5, streamId: 1 },
    { type: RST_STREAM, streamId: 1, content: number(NO_ERROR) },
  ]);
  session.receive(Buffer.concat([frame(DATA, 0, 1, Buffer.alloc(100)), head(1, [["x", "y"]], true)]));
  session.receive(Buffer.concat([frame(WINDOW_UPDATE, 0, 1, number(5)), frame(RST_STREAM, 0, 1, number(8))]));
  expect(one.told).toEqual(["over"]);
  // It is over: nothing more goes out.
  session.sendContent(one.stream, new Uint8Array(), Buffer.from("late"));
  session.sendTrailers(one.stream, okTrailers);
  session.reset(one.stream, 8);
  expect(sent()).toEqual([]);
  expect(over).toEqual([]);
});

test("a request that is answered as it begins is told that it is over", () => {
  const opened = readyServerSession([], {
    onRequest: (stream) => {
      opened.session.sendHead(stream, okTrailers, true);
      return {
        onContent: () => told.push("content"),
        onWhole: () => told.push("whole"),
        onSent: () => undefined,
        onOver: () => told.push("over"),
      };
    },
  });
  const told: string[] = [];
  opened.session.receive(request(1));
  expect(told).toEqual(["over"]);
});

test("a client whose table is smaller is told that it is empty, once", () => {
  const { session, sent } = readyServerSession([[setting.HEADER_TABLE_SIZE, 0]]);
  session.receive(Buffer.concat([request(1), request(3)]));
  const blocks = sent().filter(({ type }) => type === HEADERS);
  expect(blocks.map(({ content }) => content[0] === 0x20)).toEqual([true, false, false, false]);
  const decoder = new HpackDecoder(1_000);
  expect(decoder.decode(blocks[0]?.content ?? Buffer.alloc(0)).fields).toEqual([[":status", "200"]]);
});

test("trailers that are larger than a frame go out in several", () => {
  const { session, sent, requests } = readyServerSession([], { isHeld: true });
  session.receive(request(1));
  const [one] = requests;
  if (one === undefined) throw new Error("no request came");
  session.sendHead(
    one.stream,
    encodeFields([
      [":status", "200"],
      ["x-large", "v".repeat(40_000)],
    ]),
    true,
  );
  const frames = sent();
  expect(frames.map(({ type, flags }) => [type, flags])).toEqual([
    [HEADERS, 1],
    [CONTINUATION, 0],
    [CONTINUATION, 4],
  ]);
});

test("a drained session takes what the client has sent before it knew, and is over when all is answered", () => {
  const { session, sent, requests, answer, over } = readyServerSession([], { isHeld: true });
  session.receive(request(1));
  session.drain();
  session.drain();
  const said = sent();
  expect(types(said)).toEqual([GOAWAY, PING]);
  expect(said[0]?.content).toEqual(Buffer.concat([number(0x7fff_ffff), number(NO_ERROR)]));
  // It was on its way.
  session.receive(request(3));
  session.receive(frame(PING, 1, 0, said[1]?.content));
  expect(sent()).toMatchObject([{ type: GOAWAY, content: Buffer.concat([number(3), number(NO_ERROR)]) }]);
  // This client does not listen.
  session.receive(request(5));
  expect(requests.map(({ stream }) => stream.id)).toEqual([1, 3]);
  for (const one of requests) {
    expect(over).toEqual([]);
    answer(one);
  }
  expect(over).toEqual(["the last request was answered"]);
  expect(sent().filter(({ type }) => type === DATA)).toHaveLength(2);
});

test("a session that nobody uses is over as soon as it is drained", () => {
  const { session, over } = readyServerSession();
  session.drain();
  session.leave();
  expect(over).toHaveLength(1);
});
