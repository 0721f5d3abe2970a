import { expect, test } from "vitest";
import { openHashCache } from "./hashCache.ts";

const hash = (byte: number): Uint8Array => Uint8Array.of(byte);

test("each hash is read once while it is kept, also by callers at the same time; the least recently used goes first", async () => {
  const reads: number[] = [];
  const cache = openHashCache(2, (key) => {
    reads.push(key[0] ?? 0);
    return Promise.resolve(`value ${key[0]}`);
  });
  expect(await Promise.all([cache(hash(1)), cache(hash(1))])).toEqual(["value 1", "value 1"]);
  await cache(hash(2));
  await cache(hash(1));
  await cache(hash(3));
  expect(reads).toEqual([1, 2, 3]);
  await cache(hash(1));
  await cache(hash(2));
  expect(reads).toEqual([1, 2, 3, 2]);
});

test("what was missing or could not be read is looked for again", async () => {
  const answers = [
    () => Promise.resolve(undefined),
    () => Promise.reject(new Error("away")),
    () => Promise.resolve("there"),
  ];
  const cache = openHashCache(2, () => (answers.shift() ?? (() => Promise.resolve("too often")))());
  expect(await cache(hash(1))).toBeUndefined();
  await expect(cache(hash(1))).rejects.toThrow("away");
  expect(await cache(hash(1))).toBe("there");
  expect(await cache(hash(1))).toBe("there");
});
