import { expect, test } from "vitest";
import { frame, number, settings } from "./testing/frames.ts";
import { okHead, okTrailers, readyServerSession, request } from "./testing/openServerSession.ts";
import { contentBytes, types } from "./testing/openSession.ts";
import { frameType } from "./wire/frame.ts";
import { setting } from "./wire/settings.ts";

const { HEADERS, RST_STREAM, WINDOW_UPDATE } = frameType;

function asked(pairs: readonly (readonly [number, number])[] = []) {
  const opened = readyServerSession(pairs, { isHeld: true });
  opened.session.receive(request(1));
  const [one] = opened.requests;
  if (one === undefined) throw new Error("no request came");
  return { ...opened, one };
}

test("a large answer goes out as the windows of stream and connection allow, to the byte, and its trailers last", () => {
  const { session, sent, answer, one } = asked();
  answer(one, Buffer.alloc(200_000));
  const first = sent();
  expect(contentBytes(first)).toBe(65_535);
  expect(Math.max(...first.map(({ content }) => content.length))).toBeLessThanOrEqual(16_384);
  session.receive(frame(WINDOW_UPDATE, 0, 1, number(100_000)));
  expect(contentBytes(sent())).toBe(0);
  session.receive(frame(WINDOW_UPDATE, 0, 0, number(100_000)));
  expect(contentBytes(sent())).toBe(100_000);
  session.receive(frame(WINDOW_UPDATE, 0, 0, number(1_000_000)));
  expect(sent()).toEqual([]);
  session.receive(frame(WINDOW_UPDATE, 0, 1, number(1_000_000)));
  const last = sent();
  expect(contentBytes(last)).toBe(200_000 - 165_535);
  expect(last.at(-1)).toMatchObject({ type: HEADERS, flags: 5, content: Buffer.from(okTrailers) });
  expect(one.told).toEqual(["whole", "over"]);
});

test("who writes more is told when it has gone out", () => {
  const { session, sent, one } = asked([[setting.INITIAL_WINDOW_SIZE, 10]]);
  session.sendHead(one.stream, okHead, false);
  expect(session.sendContent(one.stream, Buffer.from("abcde"), Buffer.from("12345"))).toBe(true);
  expect(session.sendContent(one.stream, Buffer.from("abcde"), Buffer.from("12345"))).toBe(false);
  expect(session.sendContent(one.stream, Buffer.from("abcde"), Buffer.from("12345"))).toBe(false);
  expect(contentBytes(sent())).toBe(10);
  session.receive(frame(WINDOW_UPDATE, 0, 1, number(15)));
  expect([contentBytes(sent()), one.told]).toEqual([15, ["whole"]]);
  session.receive(frame(WINDOW_UPDATE, 0, 1, number(15)));
  expect([contentBytes(sent()), one.told]).toEqual([5, ["whole", "sent"]]);
});

test("a client may make its windows smaller than what is under way, and larger again", () => {
  const { session, sent, answer, one } = asked();
  answer(one, Buffer.alloc(100_000));
  expect(contentBytes(sent())).toBe(65_535);
  session.receive(settings([setting.INITIAL_WINDOW_SIZE, 0]));
  session.receive(frame(WINDOW_UPDATE, 0, 0, number(1_000_000)));
  session.receive(frame(WINDOW_UPDATE, 0, 1, number(65_535)));
  expect(contentBytes(sent())).toBe(0);
  session.receive(settings([setting.INITIAL_WINDOW_SIZE, 1_000]));
  expect(contentBytes(sent())).toBe(1_000);
});

test("frames are as large as the client takes them, and those of several answers take turns", () => {
  const { session, sent, answer, requests } = asked([
    [setting.MAX_FRAME_SIZE, 20_000],
    [setting.INITIAL_WINDOW_SIZE, 1_000_000],
  ]);
  session.receive(request(3));
  session.receive(frame(WINDOW_UPDATE, 0, 0, number(1_000_000)));
  for (const one of requests) answer(one, Buffer.alloc(60_000));
  const frames = sent().filter(({ type }) => type === frameType.DATA);
  expect(frames.map(({ content }) => content.length)).toEqual([20_000, 20_000, 20_000, 20_000, 20_000, 20_000]);
  expect(new Set(frames.slice(0, 4).map(({ streamId }) => streamId)).size).toBe(2);
});

test("an answer that is cut ends at once, without what of it waits", () => {
  const { session, sent, answer, one } = asked();
  answer(one, Buffer.alloc(100_000));
  expect(contentBytes(sent())).toBe(65_535);
  session.sendTrailers(one.stream, okTrailers, true);
  expect(sent()).toMatchObject([{ type: HEADERS, flags: 5, content: Buffer.from(okTrailers) }]);
  expect([one.told, one.stream.unsent]).toEqual([["whole", "over"], []]);
  session.receive(frame(WINDOW_UPDATE, 0, 0, number(1_000_000)));
  expect(sent()).toEqual([]);
});

test("what waits for a client that leaves is let go", () => {
  const { session, sent, answer, one, over } = asked();
  answer(one, Buffer.alloc(100_000));
  sent();
  session.receive(frame(RST_STREAM, 0, 1, number(8)));
  session.receive(frame(WINDOW_UPDATE, 0, 0, number(1_000_000)));
  expect(sent()).toEqual([]);
  expect([one.told, one.stream.isOver, over]).toEqual([["whole", "over"], true, []]);
});

test("headers go out although no window is open", () => {
  const { session, sent, one } = asked([[setting.INITIAL_WINDOW_SIZE, 0]]);
  session.sendHead(one.stream, okHead, false);
  expect(session.sendContent(one.stream, new Uint8Array(), Buffer.from("x"))).toBe(false);
  session.sendTrailers(one.stream, okTrailers);
  expect(types(sent())).toEqual([HEADERS]);
});
