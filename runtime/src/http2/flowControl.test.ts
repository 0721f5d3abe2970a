import { expect, test } from "vitest";
import { frame, head, number, settings } from "./testing/frames.ts";
import { contentBytes, readySession, types } from "./testing/openSession.ts";
import { frameType } from "./wire/frame.ts";
import { setting } from "./wire/settings.ts";

const { CONTINUATION, DATA, HEADERS, WINDOW_UPDATE } = frameType;
const ok = head(1, [[":status", "200"]]);

test("a large request goes out as the windows of stream and connection allow, to the byte", () => {
  const { session, request, sent } = readySession();
  request(Buffer.alloc(200_000));
  const first = sent();
  expect(contentBytes(first)).toBe(65_535);
  expect(Math.max(...first.map(({ content }) => content.length))).toBeLessThanOrEqual(16_384);
  session.receive(frame(WINDOW_UPDATE, 0, 1, number(100_000)));
  expect(contentBytes(sent())).toBe(0);
  session.receive(frame(WINDOW_UPDATE, 0, 0, number(1)));
  expect(contentBytes(sent())).toBe(1);
  session.receive(frame(WINDOW_UPDATE, 0, 0, number(1_000_000)));
  expect(contentBytes(sent())).toBe(99_999);
  session.receive(frame(WINDOW_UPDATE, 0, 1, number(1_000_000)));
  const last = sent();
  expect(contentBytes(last)).toBe(200_005 - 165_535);
  expect(last.at(-1)?.flags).toBe(1);
});

test("a window of 0 lets nothing through until it is opened; headers go all the same", () => {
  const { session, request, sent } = readySession([[setting.INITIAL_WINDOW_SIZE, 0]]);
  request();
  expect(types(sent())).toEqual([HEADERS]);
  session.receive(settings([setting.INITIAL_WINDOW_SIZE, 4]));
  expect(contentBytes(sent())).toBe(4);
  session.receive(settings([setting.INITIAL_WINDOW_SIZE, 100]));
  expect(contentBytes(sent())).toBe(6);
});

test("a window that is made smaller than what was sent is below zero, and has to be made good first", () => {
  const { session, request, sent } = readySession([[setting.INITIAL_WINDOW_SIZE, 1_000]]);
  request(Buffer.alloc(5_000));
  expect(contentBytes(sent())).toBe(1_000);
  session.receive(settings([setting.INITIAL_WINDOW_SIZE, 100]));
  session.receive(frame(WINDOW_UPDATE, 0, 1, number(900)));
  expect(contentBytes(sent())).toBe(0);
  session.receive(frame(WINDOW_UPDATE, 0, 1, number(10)));
  expect(contentBytes(sent())).toBe(10);
  session.receive(settings([setting.INITIAL_WINDOW_SIZE, 10_000]));
  expect(contentBytes(sent())).toBe(5_005 - 1_010);
});

test("large requests take turns, and a small one between them does not wait", () => {
  const { session, request, sent } = readySession([[setting.INITIAL_WINDOW_SIZE, 1_000_000]]);
  request(Buffer.alloc(300_000));
  request(Buffer.alloc(300_000));
  sent();
  session.receive(frame(WINDOW_UPDATE, 0, 0, number(1_000_000)));
  request();
  const order = sent()
    .filter(({ type }) => type === DATA)
    .map(({ streamId }) => streamId);
  expect(order.indexOf(5)).toBeLessThan(order.lastIndexOf(1));
  expect(order.lastIndexOf(1)).toBeGreaterThan(order.indexOf(3));
  expect(order.lastIndexOf(3)).toBeGreaterThan(order.indexOf(1));
});

test("frames are as large as the server takes them, and headers go on in CONTINUATION", () => {
  const { request, sent } = readySession();
  request(Buffer.from("x"), 40_000);
  const frames = sent();
  expect(frames.map(({ type, flags, content }) => [type, flags, content.length])).toEqual([
    [HEADERS, 0, 16_384],
    [CONTINUATION, 0, 16_384],
    [CONTINUATION, 4, 40_000 - 2 * 16_384],
    [DATA, 1, 6],
  ]);
  const other = readySession([
    [setting.MAX_FRAME_SIZE, 50_000],
    [setting.INITIAL_WINDOW_SIZE, 60_000],
  ]);
  other.request(Buffer.alloc(50_000), 40_000);
  expect(other.sent().map(({ content }) => content.length)).toEqual([40_000, 5, 50_000]);
});

test("a table that the server made smaller is emptied in its first block", () => {
  const { session, request, sent } = readySession([[setting.HEADER_TABLE_SIZE, 100]]);
  request();
  request();
  expect(
    sent()
      .filter(({ type }) => type === HEADERS)
      .map(({ content }) => content[0]),
  ).toEqual([0x20, 0x83]);
  session.receive(settings([setting.HEADER_TABLE_SIZE, 4_096]));
  session.receive(settings([setting.HEADER_TABLE_SIZE, 50]));
  request();
  expect(sent().find(({ type }) => type === HEADERS)?.content[0]).toBe(0x83);
});

test("windows are given back in large steps", () => {
  const { session, request, sent } = readySession();
  request();
  session.receive(ok);
  sent();
  const updates: number[][] = [];
  for (let count = 0; count < 640; count += 1) {
    session.receive(frame(DATA, 0, 1, Buffer.alloc(16_384)));
    for (const { type, streamId, content } of sent())
      if (type === WINDOW_UPDATE) updates.push([streamId, content.readUInt32BE(0)]);
  }
  expect(updates.filter(([streamId]) => streamId === 0)).toEqual([[0, 8 * 1024 * 1024]]);
  expect(updates.filter(([streamId]) => streamId === 1)).toEqual(Array.from({ length: 5 }, () => [1, 2 * 1024 * 1024]));
});
