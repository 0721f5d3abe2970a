import { expect, test } from "vitest";
import { openCopies } from "./copies.ts";

test("a copy keeps at most a page, and stays as it is whatever comes after it and whatever becomes of the bytes", () => {
  const copy = openCopies();
  const chunk = Buffer.alloc(65_536, 1);
  const made = Array.from({ length: 200 }, (_, i) => {
    const bytes = chunk.subarray(100 * i, 100 * i + (i % 9 === 0 ? 3_000 : i % 130)).fill(i);
    const copied = copy(bytes);
    bytes.fill(255);
    return { i, copied };
  });
  for (const { i, copied } of made) {
    expect(copied).toEqual(new Uint8Array(i % 9 === 0 ? 3_000 : i % 130).fill(i));
    expect(copied.buffer.byteLength).toBeLessThanOrEqual(8_192);
  }
});
