import { hash } from "node:crypto";
import { expect, test } from "vitest";
import { toHex } from "./runId.ts";
import { sha256 } from "./sha256.ts";

test("hashes of texts of every length over three blocks are those of Node", () => {
  for (let length = 0; length < 200; length++) {
    const text = "aß€😀".repeat(50).slice(0, length);
    expect(toHex(sha256(text))).toBe(hash("sha256", text, "hex"));
  }
});
