import { expect, test } from "vitest";
import { answer, frame, goAway, head, headInPieces, number, settings } from "./testing/frames.ts";
import { openSession, readySession, types } from "./testing/openSession.ts";
import { errorCode, frameType } from "./wire/frame.ts";
import { encodeFields } from "./wire/hpackEncoder.ts";
import { setting } from "./wire/settings.ts";

const ok = head(1, [[":status", "200"]]);
const trailers = head(1, [["grpc-status", "0"]], true);
/** More than 64 KiB. */
const large = Array.from({ length: 80 }, (_, index) => [`x-${index}`, "v".repeat(1_000)] as const);
const message = Buffer.from([0, 0, 0, 0, 2, 7, 8]);

test("the first words are settings and a large window; nothing can be asked before the server's settings", () => {
  const { session, sent } = openSession();
  expect(session.hasRoom()).toBe(false);
  expect(types(sent())).toEqual([frameType.SETTINGS, frameType.WINDOW_UPDATE]);
  session.receive(settings());
  expect(sent()).toMatchObject([{ type: frameType.SETTINGS, flags: 1 }]);
  expect(session.hasRoom()).toBe(true);
});

test("a small request is two frames, in one piece", () => {
  const { request, sent } = readySession();
  request();
  expect(sent()).toMatchObject([
    { type: frameType.HEADERS, flags: 4, streamId: 1 },
    { type: frameType.DATA, flags: 1, streamId: 1 },
  ]);
  request();
  expect(sent().map(({ streamId }) => streamId)).toEqual([3, 3]);
});

const padded = Buffer.concat([Buffer.from([3]), message, Buffer.alloc(3)]);
const block = encodeFields([
  [":status", "200"],
  ["x-long", "y".repeat(200)],
]);
const whole = Buffer.concat([
  head(1, [[":status", "103"]]),
  frame(frameType.HEADERS, 0x20, 1, Buffer.concat([Buffer.alloc(5), block.subarray(0, 10)])),
  frame(frameType.CONTINUATION, 0, 1, block.subarray(10, 20)),
  frame(frameType.CONTINUATION, 0, 1),
  frame(frameType.CONTINUATION, 4, 1, block.subarray(20)),
  frame(frameType.PRIORITY, 0, 1, Buffer.alloc(5)),
  frame(0x77, 0xff, 9, Buffer.from("nobody knows it")),
  frame(frameType.DATA, 8, 1, padded),
  frame(frameType.PING, 1, 0, Buffer.alloc(8)),
  frame(frameType.DATA, 0, 1),
  frame(
    frameType.HEADERS,
    0x0d,
    1,
    Buffer.concat([Buffer.from([2]), encodeFields([["grpc-status", "0"]]), Buffer.alloc(2)]),
  ),
]);

test("an answer is the same wherever its bytes are split: padding, priorities, continuations, 1xx, unknown frames", () => {
  const splits = Array.from({ length: whole.length }, (_, at) => [whole.subarray(0, at), whole.subarray(at)]);
  const byteByByte = Array.from(whole, (byte) => Buffer.from([byte]));
  for (const chunks of [...splits, byteByByte]) {
    const { session, request } = readySession();
    const { sink } = request();
    for (const chunk of chunks) session.receive(chunk);
    expect(sink.heads).toEqual([200, undefined]);
    expect(sink.fields.get("x-long")).toHaveLength(200);
    expect(sink.content).toEqual(message);
    expect(sink.ends).toEqual([{ kind: "ended" }]);
  }
});

const { PROTOCOL_ERROR, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, COMPRESSION_ERROR, ENHANCE_YOUR_CALM, CANCEL } =
  errorCode;
const { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION } =
  frameType;

test.each<readonly [string, number, Uint8Array]>([
  ["a frame that is too long", FRAME_SIZE_ERROR, frame(DATA, 0, 1, Buffer.alloc(16_385))],
  ["DATA of no stream", PROTOCOL_ERROR, frame(DATA, 0, 0, Buffer.alloc(1))],
  ["DATA of a stream that nobody opened", PROTOCOL_ERROR, frame(DATA, 0, 3, Buffer.alloc(1))],
  ["DATA of a stream of the server's", PROTOCOL_ERROR, frame(DATA, 0, 2, Buffer.alloc(1))],
  ["padding without end", PROTOCOL_ERROR, frame(DATA, 8, 1, Buffer.from([1]))],
  ["padding in nothing", PROTOCOL_ERROR, frame(DATA, 8, 1)],
  ["padding of headers without end", PROTOCOL_ERROR, frame(HEADERS, 0x0c, 1, Buffer.from([9, 0x88]))],
  ["headers shorter than their priority", PROTOCOL_ERROR, frame(HEADERS, 0x24, 1, Buffer.from([0, 0]))],
  ["HEADERS of no stream", PROTOCOL_ERROR, frame(HEADERS, 4, 0, Buffer.from([0x88]))],
  ["HEADERS of a stream that nobody opened", PROTOCOL_ERROR, frame(HEADERS, 4, 5, Buffer.from([0x88]))],
  ["headers that can't be decompressed", COMPRESSION_ERROR, frame(HEADERS, 4, 1, Buffer.from([0xff, 0xff]))],
  ["a frame within headers", PROTOCOL_ERROR, Buffer.concat([frame(HEADERS, 0, 1), frame(PING, 0, 0, Buffer.alloc(8))])],
  [
    "headers of one stream within another's",
    PROTOCOL_ERROR,
    Buffer.concat([frame(HEADERS, 0, 1), frame(CONTINUATION, 4, 3)]),
  ],
  ["a CONTINUATION of nothing", PROTOCOL_ERROR, frame(CONTINUATION, 4, 1)],
  ["a PRIORITY of the wrong size", FRAME_SIZE_ERROR, frame(PRIORITY, 0, 1, Buffer.alloc(4))],
  ["an RST_STREAM of the wrong size", FRAME_SIZE_ERROR, frame(RST_STREAM, 0, 1, Buffer.alloc(3))],
  ["an RST_STREAM of no stream", PROTOCOL_ERROR, frame(RST_STREAM, 0, 0, Buffer.alloc(4))],
  ["an RST_STREAM of a stream that nobody opened", PROTOCOL_ERROR, frame(RST_STREAM, 0, 7, Buffer.alloc(4))],
  ["SETTINGS of the wrong size", FRAME_SIZE_ERROR, frame(SETTINGS, 0, 0, Buffer.alloc(5))],
  ["SETTINGS of a stream", PROTOCOL_ERROR, frame(SETTINGS, 0, 1)],
  ["an acknowledgement with content", FRAME_SIZE_ERROR, frame(SETTINGS, 1, 0, Buffer.alloc(6))],
  ["a push switched on", PROTOCOL_ERROR, settings([setting.ENABLE_PUSH, 1])],
  ["a window beyond all", FLOW_CONTROL_ERROR, settings([setting.INITIAL_WINDOW_SIZE, 0x8000_0000])],
  ["frames that are too small", PROTOCOL_ERROR, settings([setting.MAX_FRAME_SIZE, 16_383])],
  ["a push", PROTOCOL_ERROR, frame(PUSH_PROMISE, 4, 1, Buffer.alloc(4))],
  ["a PING of the wrong size", FRAME_SIZE_ERROR, frame(PING, 0, 0, Buffer.alloc(7))],
  ["a PING of a stream", PROTOCOL_ERROR, frame(PING, 0, 1, Buffer.alloc(8))],
  ["a GOAWAY of the wrong size", FRAME_SIZE_ERROR, frame(GOAWAY, 0, 0, Buffer.alloc(7))],
  ["a WINDOW_UPDATE of the wrong size", FRAME_SIZE_ERROR, frame(WINDOW_UPDATE, 0, 0, Buffer.alloc(3))],
  ["a window that grows by nothing", PROTOCOL_ERROR, frame(WINDOW_UPDATE, 0, 0, number(0))],
  ["the connection's window beyond all", FLOW_CONTROL_ERROR, frame(WINDOW_UPDATE, 0, 0, number(0x7fff_ffff))],
  [
    "a stream's window beyond all by settings",
    FLOW_CONTROL_ERROR,
    Buffer.concat([
      frame(WINDOW_UPDATE, 0, 1, number(0x7000_0000)),
      settings([setting.INITIAL_WINDOW_SIZE, 0x7fff_ffff]),
    ]),
  ],
  [
    "headers that go on for ever",
    ENHANCE_YOUR_CALM,
    Buffer.concat([frame(HEADERS, 0, 1), ...Array.from({ length: 100 }, () => frame(CONTINUATION, 0, 1))]),
  ],
  [
    "headers that go on for ever in large pieces",
    ENHANCE_YOUR_CALM,
    Buffer.concat([
      frame(HEADERS, 0, 1),
      ...Array.from({ length: 20 }, () => frame(CONTINUATION, 0, 1, Buffer.alloc(16_384))),
    ]),
  ],
])("%s ends the connection with code %i, and all that is on it", (_, code, bytes) => {
  const { session, request, sent, over } = readySession();
  const { sink } = request();
  sent();
  session.receive(bytes);
  expect(sent().at(-1)).toMatchObject({ type: GOAWAY, content: Buffer.concat([number(0), number(code)]) });
  expect(sink.ends).toMatchObject([{ kind: "lost" }]);
  expect(over).toHaveLength(1);
  expect(session.isOpen()).toBe(false);
});

test.each<readonly [string, number, readonly Uint8Array[]]>([
  ["content before headers", PROTOCOL_ERROR, [frame(DATA, 0, 1, message)]],
  ["trailers before headers", PROTOCOL_ERROR, [trailers]],
  ["trailers that are not the end", PROTOCOL_ERROR, [ok, head(1, [["grpc-status", "0"]])]],
  ["a status twice", PROTOCOL_ERROR, [ok, head(1, [[":status", "200"]], true)]],
  ["1xx as the end", PROTOCOL_ERROR, [head(1, [[":status", "100"]], true)]],
  ["a switch of protocols", PROTOCOL_ERROR, [head(1, [[":status", "101"]])]],
  ["a status that is none", PROTOCOL_ERROR, [head(1, [[":status", "2000"]])]],
  [
    "a status behind other headers",
    PROTOCOL_ERROR,
    [
      head(1, [
        ["a", "b"],
        [":status", "200"],
      ]),
    ],
  ],
  [
    "another pseudo-header",
    PROTOCOL_ERROR,
    [
      head(1, [
        [":status", "200"],
        [":path", "/"],
      ]),
    ],
  ],
  [
    "a capital letter",
    PROTOCOL_ERROR,
    [
      head(1, [
        [":status", "200"],
        ["Name", "x"],
      ]),
    ],
  ],
  [
    "a name with a blank",
    PROTOCOL_ERROR,
    [
      head(1, [
        [":status", "200"],
        ["a b", "x"],
      ]),
    ],
  ],
  [
    "a line break in a value",
    PROTOCOL_ERROR,
    [
      head(1, [
        [":status", "200"],
        ["a", "x\ny"],
      ]),
    ],
  ],
  [
    "a header of HTTP/1",
    PROTOCOL_ERROR,
    [
      head(1, [
        [":status", "200"],
        ["connection", "close"],
      ]),
    ],
  ],
  [
    "less content than announced",
    PROTOCOL_ERROR,
    [
      head(1, [
        [":status", "200"],
        ["content-length", "9"],
      ]),
      frame(DATA, 1, 1, message),
    ],
  ],
  [
    "an announced length that is none",
    PROTOCOL_ERROR,
    [
      head(1, [
        [":status", "200"],
        ["content-length", "x"],
      ]),
      frame(DATA, 1, 1, message),
    ],
  ],
  ["a stream's window that grows by nothing", PROTOCOL_ERROR, [frame(WINDOW_UPDATE, 0, 1, number(0))]],
  ["a stream's window beyond all", PROTOCOL_ERROR, [frame(WINDOW_UPDATE, 0, 1, number(0x7fff_ffff))]],
  ["headers that are too large", CANCEL, [headInPieces(1, [[":status", "200"], ...large])]],
])("%s ends its stream alone", (_, code, parts) => {
  const { session, request, sent, over } = readySession();
  const { sink } = request();
  const other = request();
  sent();
  for (const part of parts) session.receive(part);
  expect(sent().filter(({ type }) => type === RST_STREAM)).toMatchObject([{ streamId: 1, content: number(code) }]);
  expect(sink.ends).toMatchObject([{ kind: "broken", isTooLarge: code === CANCEL }]);
  // What still comes of it is left alone, and its neighbour goes on.
  session.receive(Buffer.concat([frame(DATA, 0, 1, message), trailers, frame(RST_STREAM, 0, 1, number(0)), answer(3)]));
  expect(sink.ends).toHaveLength(1);
  expect(other.sink.ends).toEqual([{ kind: "ended" }]);
  expect(over).toEqual([]);
});

test("what is not HTTP/2 is told so", () => {
  for (const bytes of [
    Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"),
    frame(PING, 0, 0, Buffer.alloc(8)),
    goAway(0),
    ok,
  ]) {
    const { session, over } = openSession();
    session.receive(bytes);
    expect(over).toEqual([expect.stringMatching(/^no HTTP\/2 server is there/)]);
  }
});

test("no more streams are open than the server takes", () => {
  const { session, request } = readySession([[setting.MAX_CONCURRENT_STREAMS, 2]]);
  request();
  const { stream } = request();
  expect([session.isOpen(), session.hasRoom()]).toEqual([true, false]);
  session.receive(settings([setting.MAX_CONCURRENT_STREAMS, 3]));
  expect(session.hasRoom()).toBe(true);
  session.receive(settings([setting.MAX_CONCURRENT_STREAMS, 1]));
  expect(session.hasRoom()).toBe(false);
  session.receive(answer(1));
  expect(session.hasRoom()).toBe(false);
  session.cancel(stream);
  expect(session.hasRoom()).toBe(true);
});

test("a server that goes away finishes what it has, has not looked at the rest, and is left when nothing is open", () => {
  const { session, request, over } = readySession();
  const sinks = [request(), request(), request()].map(({ sink }) => sink);
  session.receive(goAway(0x7fff_ffff));
  expect([session.isOpen(), session.hasRoom(), sinks.every(({ ends }) => ends.length === 0)]).toEqual([
    false,
    false,
    true,
  ]);
  session.receive(goAway(3));
  expect(sinks.map(({ ends }) => ends)).toEqual([[], [], [{ kind: "unprocessed", isRefused: false }]]);
  session.receive(answer(1));
  expect(over).toEqual([]);
  session.receive(answer(3));
  expect(sinks.map(({ ends }) => ends[0]?.kind)).toEqual(["ended", "ended", "unprocessed"]);
  expect(over).toHaveLength(1);
});

test("a refused stream was not looked at, unless the server had begun to answer; other codes are told", () => {
  const { session, request } = readySession();
  const sinks = [request(), request(), request()].map(({ sink }) => sink);
  session.receive(
    Buffer.concat([
      frame(RST_STREAM, 0, 1, number(7)),
      head(3, [[":status", "200"]]),
      frame(RST_STREAM, 0, 3, number(7)),
      frame(RST_STREAM, 0, 5, number(11)),
    ]),
  );
  expect(sinks.map(({ ends }) => ends)).toEqual([
    [{ kind: "unprocessed", isRefused: true }],
    [{ kind: "reset", code: 7 }],
    [{ kind: "reset", code: 11 }],
  ]);
});

test("the last number of a stream is used, and then no more", () => {
  const { session, request, over } = readySession([], { firstStreamId: 0x7fff_ffff });
  const { sink } = request();
  expect(session.isOpen()).toBe(false);
  session.receive(answer(0x7fff_ffff));
  expect(sink.ends).toEqual([{ kind: "ended" }]);
  expect(over).toHaveLength(1);
});

test("an answer that comes before the request is sent ends it, and the rest is not sent", () => {
  const { session, request, sent } = readySession();
  const { sink } = request(Buffer.alloc(100_000));
  sent();
  session.receive(answer(1));
  expect(sink.ends).toEqual([{ kind: "ended" }]);
  session.receive(frame(WINDOW_UPDATE, 0, 0, number(1_000_000)));
  expect(sent()).toMatchObject([{ type: RST_STREAM, streamId: 1, content: number(CANCEL) }]);
});

test("a cancelled stream is reset, and what still comes of it is left alone however much it is", () => {
  const { session, request, sent, over } = readySession();
  const cancelled = Array.from({ length: 500 }, () => request());
  sent();
  for (const { stream } of cancelled) session.cancel(stream);
  session.cancel(cancelled[0]?.stream ?? never());
  expect(sent().filter(({ type }) => type === RST_STREAM)).toHaveLength(500);
  for (const { stream } of cancelled) session.receive(answer(stream.id));
  expect(cancelled.every(({ sink }) => sink.ends.length === 0 && sink.heads.length === 0)).toBe(true);
  expect(over).toEqual([]);
});

function never(): never {
  throw new Error("there is one");
}

test("pings are answered, and ours tell that the server is there", () => {
  const { session, sent } = readySession();
  session.receive(frame(PING, 0, 0, Buffer.from("12345678")));
  expect(sent()).toMatchObject([{ type: PING, flags: 1, content: Buffer.from("12345678") }]);
  let answers = 0;
  session.ping(() => (answers += 1));
  const [ping] = sent();
  session.receive(frame(PING, 1, 0, ping?.content));
  expect(answers).toBe(1);
});

test.each<readonly [string, Uint8Array]>([
  ["pings", frame(PING, 0, 0, Buffer.alloc(8))],
  ["settings", settings([setting.INITIAL_WINDOW_SIZE, 1])],
  ["frames that nobody knows", frame(0x99, 0, 0)],
  ["empty content", frame(DATA, 0, 1)],
  ["window updates", frame(WINDOW_UPDATE, 0, 1, number(1))],
  ["informational answers", head(1, [[":status", "103"]])],
  ["frames of a stream that is over", frame(RST_STREAM, 0, 3, number(8))],
])("a flood of %s ends the connection; as many over a long time do not", (_, idle) => {
  let now = 0;
  const patient = readySession([], { now: () => now });
  const flooded = readySession();
  for (const { session, request } of [patient, flooded]) {
    request();
    session.receive(head(1, [[":status", "103"]]));
    request();
    session.receive(answer(3));
    if (idle[3] === DATA) session.receive(ok);
  }
  for (let count = 0; count < 2_000; count += 1) {
    now += 20;
    patient.session.receive(idle);
    flooded.session.receive(idle);
  }
  expect(patient.over).toEqual([]);
  expect(flooded.over).toEqual([expect.stringMatching(/brought no call on/)]);
  expect(flooded.sent().at(-1)).toMatchObject({ type: GOAWAY });
});
