import { array, assert, integer, property, uint8Array } from "fast-check";
import { expect, test } from "vitest";
import { callFrame } from "./callFrames.ts";
import { MessageReader } from "./messageReader.ts";

test("messages come as soon as they are whole, however their bytes arrive", () => {
  const whole = array(uint8Array({ maxLength: 3_000 }), { maxLength: 5 });
  const cuts = array(integer({ min: 1, max: 2_000 }), { minLength: 1, maxLength: 20 });
  assert(
    property(whole, cuts, (messages, pieces) => {
      const bytes = Buffer.concat(messages.map(callFrame));
      const ends = messages.map((_, index) => Buffer.concat(messages.slice(0, index + 1).map(callFrame)).length);
      const got: Buffer[] = [];
      const reader = new MessageReader(3_000, (message) => got.push(Buffer.from(message.bytes)));
      for (let at = 0, n = 0; at < bytes.length; n++) {
        const piece = Buffer.from(bytes.subarray(at, at + (pieces[n % pieces.length] ?? 1)));
        expect(reader.take(piece)).toBe(true);
        // It lies in memory that is used again.
        piece.fill(255);
        at += piece.length;
        expect(got).toHaveLength(ends.filter((end) => end <= at).length);
        expect(reader.isBetween()).toBe(at === 0 || ends.includes(at));
      }
      expect(got).toEqual(messages.map((one) => Buffer.from(one)));
    }),
  );
});

test("a message that is too large is told by its first bytes", () => {
  const reader = new MessageReader(10, () => undefined);
  expect(reader.take(callFrame(Buffer.alloc(10)))).toBe(true);
  expect(reader.take(callFrame(Buffer.alloc(11)).subarray(0, 5))).toBe(false);
});
