import { expect, test } from "vitest";
import { toAbsentStreams } from "./absentStreams.ts";

const { signal } = new AbortController();
const long = 60_000;

test("all who wait for a stream try again as soon as it answers anybody, others wait on", async () => {
  const absent = toAbsentStreams();
  const both = [absent.untilBack("A", long, signal), absent.untilBack("A", long, signal)];
  const leaving = new AbortController();
  const other = absent.untilBack("B", long, leaving.signal);
  expect(absent.answered("A")).toBe(true);
  await Promise.all(both);
  expect(absent.isAny()).toBe(true);
  expect(absent.answered("A")).toBe(false);
  leaving.abort();
  await other;
});

test("a stream stays absent while somebody tries, and after a reconnect none is", async () => {
  const absent = toAbsentStreams();
  await absent.untilBack("A", 1, signal);
  expect(absent.isAny()).toBe(true);
  const waits = absent.untilBack("A", long, signal);
  absent.forget();
  await waits;
  expect(absent.isAny()).toBe(false);
});
