import { expect, test } from "vitest";
import { Asked } from "./asked.ts";
import { bytesMaxOf, firstWindow, grown, nextBatch, rankOf, unaskedOf } from "./pullWindow.ts";

test.each([
  // window, in hands, outstanding, room, free → batch
  [8, 0, 0, 64, 64, 8],
  [8, 0, 5, 59, 64, 0],
  [8, 0, 4, 60, 64, 4],
  [64, 61, 0, 3, 3, 3],
  [8, 8, 0, 0, 0, 0],
  // A sidecar asks for no more than it has in hands, but for the first few.
  [64, 0, 0, 64, 64, 8],
  [64, 20, 0, 44, 44, 20],
  [64, 20, 11, 33, 44, 0],
  // All free slots are asked for by others: one may be asked for all the same.
  [8, 3, 0, 0, 5, 1],
  [8, 3, 1, 0, 5, 0],
  [1, 0, 0, -2, 1, 1],
])(
  "window %i with %i in hands, %i outstanding, room for %i of %i free slots asks for %i",
  (size, inHands, outstanding, room, free, batch) =>
    expect(nextBatch({ size }, { inHands, outstanding, room, free })).toBe(batch),
);

test("a window begins small for few slots and grows no larger than they are", () => {
  expect([1, 8, 64, 1_000].map((slots) => firstWindow({ slots, pullers: 1 }).size)).toEqual([1, 1, 8, 8]);
  expect([grown({ size: 8 }, 64).size, grown({ size: 64 }, 64).size, grown({ size: 1 }, 0).size]).toEqual([16, 64, 1]);
});

test("services that share the slots begin with half of what all may ask for at most, and with one each", () => {
  expect([4, 5, 8, 40].map((pullers) => firstWindow({ slots: 64, pullers }).size)).toEqual([8, 6, 4, 1]);
  expect([16, 40, 500].map((pullers) => firstWindow({ slots: 1_000, pullers }).size)).toEqual([8, 3, 1]);
});

test("the more a sidecar has in hands, the later it is served", () => {
  expect([0, 3, 4, 31, 32, 95, 96, 10_000].map(rankOf)).toEqual([0, 0, 1, 5, 6, 8, 9, 9]);
});

test("few tasks that are asked for may be of any size, the bytes of more are bounded, and there are not more than 256", () => {
  expect([bytesMaxOf(64, 0, 1), bytesMaxOf(8, 56, 2)]).toEqual([undefined, undefined]);
  const bounds = [bytesMaxOf(65, 0, 0), bytesMaxOf(1, 64, 0), bytesMaxOf(192, 64, 0)];
  expect(bounds).toEqual([65 * 32_768, 32_768, 192 * 32_768]);
  expect([unaskedOf(64, 10), unaskedOf(1_000, 250), unaskedOf(1_000, 257)]).toEqual([54, 6, -1]);
});

test("of requests for as many tasks each may bring another number of bytes", () => {
  const bounds = Array.from({ length: 32_768 }, (_, count) => bytesMaxOf(100, 0, count) ?? 0);
  expect([new Set(bounds).size, Math.max(...bounds)]).toEqual([32_768, 101 * 32_768 - 1]);
});

test("a task counts for the requests of its rank", () => {
  const asked = new Asked();
  asked.add("a", 4, 3, 0);
  asked.add("b", 2, 0, 1);
  asked.take(0);
  expect([asked.outstanding(), asked.outstandingUpTo(0), asked.outstandingUpTo(3)]).toEqual([5, 1, 5]);
  asked.take(3);
  asked.take(0);
  expect([asked.outstanding(), asked.outstandingUpTo(2)]).toEqual([3, 0]);
  expect(asked.end("b", 0)).toBeUndefined();
  expect(asked.end("a", 3)).toBe(1);
  expect([asked.outstanding(), asked.isEmpty()]).toEqual([0, true]);
});

test("a request that ends takes back no more than is left of its rank", () => {
  const asked = new Asked();
  asked.add("a", 8, 1, 0);
  asked.add("b", 8, 1, 10);
  for (let tasks = 0; tasks < 12; tasks++) asked.take(1);
  asked.end("a", 8);
  expect([asked.outstanding(), asked.isEmpty()]).toEqual([0, true]);
});

test("what a request is told to bring no more is not taken from others, though the rest is still on its way", () => {
  const asked = new Asked();
  asked.add("a", 8, 1, 0);
  asked.add("b", 8, 1, 0);
  expect(asked.end("a", 5)).toBe(3);
  expect(asked.outstanding()).toBe(3 + 8);
  for (let tasks = 0; tasks < 3; tasks++) asked.take(1);
  expect(asked.outstanding()).toBe(8);
});

test("a request that all has come of takes nothing from others when it is forgotten", () => {
  const asked = new Asked();
  asked.add("a", 8, 1, 0);
  asked.add("b", 8, 1, 20);
  for (let tasks = 0; tasks < 8; tasks++) asked.take(1);
  asked.endBefore(20);
  expect(asked.outstanding()).toBe(8);
  asked.endBefore(21);
  expect([asked.outstanding(), asked.isEmpty()]).toEqual([0, true]);
});

test("requests that are forgotten leave what was asked for since", () => {
  const asked = new Asked();
  asked.add("a", 8, 1, 0);
  asked.add("b", 4, 2, 20);
  asked.endBefore(20);
  expect([asked.outstanding(), asked.outstandingUpTo(1)]).toEqual([4, 0]);
});

test("a task that nobody asked for changes nothing", () => {
  const asked = new Asked();
  asked.take(0);
  asked.add("a", 1, 9, 0);
  expect(asked.outstanding()).toBe(1);
});
