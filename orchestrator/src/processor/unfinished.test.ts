import { expect, test } from "vitest";
import { openUnfinished } from "./unfinished.ts";

test("the checkpoint stands before the first event that waits for something, and follows what was read otherwise", () => {
  const unfinished = openUnfinished(10);
  expect(unfinished.checkpoint()).toBe(10);
  for (const sequence of [11, 12, 13]) {
    unfinished.read(sequence);
    unfinished.hold(sequence);
  }
  expect(unfinished.checkpoint()).toBe(10);
  unfinished.release(12);
  expect(unfinished.checkpoint()).toBe(10);
  unfinished.release(11);
  expect(unfinished.checkpoint()).toBe(12);
  unfinished.release(13);
  unfinished.read(14);
  expect(unfinished.checkpoint()).toBe(14);
});

test("an event that waits for two things is done with the second", () => {
  const unfinished = openUnfinished(0);
  unfinished.read(1);
  unfinished.hold(1);
  unfinished.hold(1);
  unfinished.release(1);
  expect(unfinished.checkpoint()).toBe(0);
  unfinished.release(1);
  expect(unfinished.checkpoint()).toBe(1);
  expect(unfinished.count()).toBe(0);
});

test("an earlier event that is held after a later one holds the checkpoint back", () => {
  const unfinished = openUnfinished(0);
  unfinished.read(9);
  for (const sequence of [2, 8, 5]) unfinished.hold(sequence);
  unfinished.release(2);
  expect(unfinished.checkpoint()).toBe(4);
  unfinished.hold(3);
  expect(unfinished.checkpoint()).toBe(2);
  unfinished.release(3);
  unfinished.release(5);
  expect(unfinished.checkpoint()).toBe(7);
  unfinished.release(8);
  expect(unfinished.checkpoint()).toBe(9);
});

test("events read again at a takeover never move the checkpoint back", () => {
  const unfinished = openUnfinished(100);
  unfinished.hold(50);
  unfinished.read(60);
  expect(unfinished.checkpoint()).toBe(100);
});
