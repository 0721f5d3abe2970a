import { describe, expect, test } from "vitest";
import { Ask } from "../gen/sidestep/internal/v1/task.ts";
import { Encoder } from "./encoder.ts";

const ask = (token: Uint8Array): Ask => Ask.fromPartial({ delivery: 3, sidecarId: "a", token });

const { toBytes } = new Encoder();

describe("an encoder", () => {
  test("makes the bytes that the encoder makes, again and again", () => {
    for (const size of [3_000, 0, 1, 2 << 20, 5]) {
      const message = ask(new Uint8Array(size).fill(size));
      expect(Buffer.from(toBytes(Ask, message)).equals(Ask.encode(message).finish())).toBe(true);
    }
  });

  test("bytes made before are nobody else's", () => {
    const first = toBytes(Ask, ask(new Uint8Array([1, 2, 3])));
    const copy = first.slice();
    toBytes(Ask, ask(new Uint8Array([9, 9, 9])));
    expect(first).toEqual(copy);
  });

  test("an encoder that throws half way leaves nothing behind", () => {
    const broken = {
      encode: (_: unknown, writer: Parameters<typeof Ask.encode>[1] & object) => {
        writer.uint32(10).string("half");
        throw new Error("broken");
      },
    };
    expect(() => toBytes(broken, {})).toThrow("broken");
    const message = ask(new Uint8Array([7]));
    expect(toBytes(Ask, message)).toEqual(Ask.encode(message).finish());
  });
});
