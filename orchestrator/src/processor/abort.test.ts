import { expect, test } from "vitest";
import { unlessAborted } from "./abort.ts";

const never = new Promise<string>(() => undefined);

test("all that wait for one signal are told when it aborts, and what was done before is what it was", async () => {
  const over = new AbortController();
  const { signal } = over;
  expect(await unlessAborted(signal, Promise.resolve("done"), "aborted")).toBe("done");
  const both = Promise.all([unlessAborted(signal, never, "first"), unlessAborted(signal, never, "second")]);
  over.abort();
  expect(await both).toEqual(["first", "second"]);
  expect(await unlessAborted(signal, Promise.resolve("done"), "aborted")).toBe("aborted");
});

test("who has left a signal leaves the others their place", async () => {
  const over = new AbortController();
  const waits = unlessAborted(over.signal, never, "aborted");
  await expect(unlessAborted(over.signal, Promise.reject(new Error("failed")), "aborted")).rejects.toThrow("failed");
  over.abort();
  expect(await waits).toBe("aborted");
});

test("work that fails when nobody waits for it any more is no failure of the process", async () => {
  const unheard: unknown[] = [];
  const note = (error: unknown): void => void unheard.push(error);
  process.on("unhandledRejection", note);
  const { promise, reject } = Promise.withResolvers<string>();
  expect(await unlessAborted(AbortSignal.abort(), promise, "aborted")).toBe("aborted");
  reject(new Error("NATS is away"));
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", note);
  expect(unheard).toEqual([]);
});
