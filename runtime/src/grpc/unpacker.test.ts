import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { Unpacker } from "./unpacker.ts";

function packed(unpacker: Unpacker, bytes: Uint8Array, isOver = false): Promise<Uint8Array | NodeJS.ErrnoException> {
  return new Promise((resolve) => unpacker.add({ bytes, isOver: () => isOver, onUnpacked: resolve }));
}

test("one after the other is unpacked, also a small one behind a large one, and what is over is left out", async () => {
  const unpacker = new Unpacker(4_000_000);
  const came: string[] = [];
  const add = async (name: string, size: number, isOver = false): Promise<void> => {
    const got = await packed(unpacker, gzipSync(Buffer.alloc(size)), isOver);
    came.push(`${name} ${got instanceof Uint8Array ? got.length : got.message}`);
  };
  const all = [add("large", 4_000_000), add("small", 1)];
  void add("over", 1, true);
  await Promise.all([...all, add("last", 2)]);
  expect(came).toEqual(["large 4000000", "small 1", "last 2"]);
});

test("what is none, or too large, is told, and the next one is unpacked", async () => {
  const unpacker = new Unpacker(10);
  const all = [Buffer.from("none"), gzipSync(Buffer.alloc(11)), gzipSync(Buffer.from("good"))];
  const [none, large, good] = await Promise.all(all.map((one) => packed(unpacker, one)));
  expect(none).toMatchObject({ code: "Z_DATA_ERROR" });
  expect(large).toMatchObject({ code: "ERR_BUFFER_TOO_LARGE" });
  expect(good).toEqual(Buffer.from("good"));
});
