import { expect, test } from "vitest";
import { Outbox } from "./outbox.ts";

test("what is written in one turn goes out as one piece, and its memory is used again only when it has gone", () => {
  const pieces: Uint8Array[] = [];
  const texts: string[][] = [];
  let isGone = false;
  const outbox = new Outbox(
    (written) => {
      pieces.push(...written);
      texts.push(written.map((piece) => Buffer.from(piece).toString()));
      return isGone;
    },
    () => undefined,
  );
  const put = (text: string): void => {
    outbox.slab.write(text, outbox.claim(text.length));
  };
  put("one ");
  put("two");
  outbox.flush();
  put("three");
  isGone = true;
  outbox.flush();
  put("four");
  const large = Buffer.alloc(10, "l");
  outbox.append(large);
  put("five");
  outbox.flush();
  expect(texts).toEqual([["one two"], ["three"], ["four", "llllllllll", "five"]]);
  expect(pieces[3]).toBe(large);
  // The first one's memory was written over after it had gone, not before.
  expect(pieces[0]?.toString()).toBe("fourfiv");
});
