import { expect, test } from "vitest";
import { openLanes } from "./lanes.ts";

test("what is asked for under one name is done in order, also when one fails; other names do not wait", async () => {
  const lanes = openLanes<string>(10);
  const first = Promise.withResolvers<void>();
  const done: string[] = [];
  const one = lanes("a", async () => {
    await first.promise;
    done.push("a1");
    throw new Error("no");
  });
  const two = lanes("a", () => Promise.resolve(done.push("a2")));
  await lanes("b", () => Promise.resolve(done.push("b")));
  expect(done).toEqual(["b"]);
  first.resolve();
  await expect(one).rejects.toThrow("no");
  await two;
  expect(done).toEqual(["b", "a1", "a2"]);
});

test("at the limit a lane takes no more, and takes again once there is room", async () => {
  const lanes = openLanes<string>(2);
  const gate = Promise.withResolvers<void>();
  const both = [lanes("a", () => gate.promise), lanes("a", () => gate.promise)];
  expect(await lanes("a", () => Promise.resolve(1))).toBe("full");
  gate.resolve();
  await Promise.all(both);
  expect(await lanes("a", () => Promise.resolve(1))).toBe(1);
});
