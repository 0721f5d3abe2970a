import { createHash, createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { idempotencyKey, toCredentials } from "./credentials.ts";

const secret = Buffer.alloc(32, 5);

test("a token is the HMAC of the attempt's key", () => {
  for (const one of [secret, Buffer.alloc(100, 9), Buffer.from("short")]) {
    for (const key of ["run/a/g1/f/1", "run/ä[3]/g2/c/12"]) {
      const expected = createHmac("sha256", one).update(key).digest();
      expect(Buffer.from(toCredentials([one]).token(key))).toEqual(expected);
    }
  }
});

test("a token of the secret before still counts, one of another secret or attempt does not", () => {
  const before = toCredentials([secret]);
  const now = toCredentials([Buffer.alloc(32, 6), secret]);
  expect(now.isAuthentic("a", before.token("a"))).toBe(true);
  expect(now.isAuthentic("a", now.token("a"))).toBe(true);
  expect(now.isAuthentic("b", before.token("a"))).toBe(false);
  expect(before.isAuthentic("a", now.token("a"))).toBe(false);
  expect(now.isAuthentic("a", new Uint8Array())).toBe(false);
});

test("an idempotency key is a UUID of version 5 that depends on the step alone", () => {
  expect(idempotencyKey("run/a/g1/f")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(idempotencyKey("run/a/g1/f")).toBe(idempotencyKey("run/a/g1/f"));
  expect(idempotencyKey("run/a/g1/f")).not.toBe(idempotencyKey("run/a/g2/f"));
});

test("tokens that are remembered are those of their own attempts, however many there are", () => {
  const made = toCredentials([secret]);
  const keys = Array.from({ length: 10_000 }, (_, i) => `${i.toString(16).padStart(32, "0")}/a/g1/f/${i % 9}`);
  const tokenOf = (key: string) => createHmac("sha256", secret).update(key).digest("hex");
  for (const key of [...keys, ...keys.slice(0, 50), ...keys.slice(-50), ...keys.slice(-50)])
    expect(Buffer.from(made.token(key)).toString("hex")).toBe(tokenOf(key));
  expect(made.isAuthentic("", new Uint8Array())).toBe(false);
});

test("an idempotency key of a long name is made as that of a short one", () => {
  const long = `run/${"ä".repeat(600)}/g1/f`;
  const namespace = Buffer.from("6f1a4a4e1a8d5c0bb0d2e2b1a5d1c7e3", "hex");
  const digest = createHash("sha1").update(namespace).update(long).digest("hex");
  expect(idempotencyKey(long).replaceAll("-", "").slice(0, 12)).toBe(digest.slice(0, 12));
  expect(idempotencyKey("b")).toBe(idempotencyKey("b"));
});
