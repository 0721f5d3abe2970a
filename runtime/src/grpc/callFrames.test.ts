import { assert, array, integer, property, uint8Array } from "fast-check";
import { expect, test } from "vitest";
import { callFrame, openCallFrames } from "./callFrames.ts";
import { parseCallTimeout } from "./callTimeout.ts";

test("messages come whole, however they arrive", () => {
  const whole = array(uint8Array({ maxLength: 20 }), { maxLength: 4 });
  const cuts = array(integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 20 });
  assert(
    property(whole, cuts, (messages, pieces) => {
      const bytes = Buffer.concat(messages.map(callFrame));
      const frames = openCallFrames(bytes.length);
      for (let at = 0, n = 0; at < bytes.length; n++) {
        const size = pieces[n % pieces.length] ?? 1;
        expect(frames.add(bytes.subarray(at, at + size))).toBe(false);
        at += size;
      }
      const got = frames.messages();
      expect(got?.count).toBe(messages.length);
      const [first] = messages;
      expect(got?.first).toEqual(first === undefined ? undefined : { isCompressed: false, bytes: first });
    }),
  );
});

test("a message that is not whole is none, and one byte too many is told", () => {
  const frame = callFrame(Uint8Array.of(1, 2, 3));
  for (let length = 1; length < frame.length; length++) {
    const frames = openCallFrames(100);
    frames.add(frame.subarray(0, length));
    expect(frames.messages()).toBeUndefined();
  }
  const frames = openCallFrames(frame.length - 1);
  expect(frames.add(frame.subarray(0, 4))).toBe(false);
  expect(frames.add(frame.subarray(4))).toBe(true);
});

test("a compressed message says so", () => {
  const frames = openCallFrames(100);
  frames.add(Uint8Array.of(1, 0, 0, 0, 1, 7));
  expect(frames.messages()).toEqual({ count: 1, first: { isCompressed: true, bytes: Uint8Array.of(7) } });
});

test.each([
  ["1H", 3_600_000],
  ["2M", 120_000],
  ["99999999S", 99_999_999_000],
  ["15m", 15],
  ["1500u", 1],
  ["1n", 1],
])("a grpc-timeout of %s is %d ms", (text, ms) => expect(parseCallTimeout(text)).toBe(ms));

test.each(["", "1", "S", "1s", "123456789S", "-1S", "1.5S"])("a grpc-timeout of %j is none", (text) =>
  expect(parseCallTimeout(text)).toBeUndefined(),
);
