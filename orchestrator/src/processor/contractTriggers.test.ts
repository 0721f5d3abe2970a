import { expect, test } from "vitest";
import { following, placeOf, retired } from "./contractTriggers.ts";
import { toEventHooks } from "./eventHooks.ts";

const wanted = {
  id: "a.B/C/t",
  workflow: "a.B/C",
  trigger: "t",
  pattern: "orders.*.placed",
  type: "a.Placed",
  signal: "",
  stream: "",
  blocked: "",
  unfed: false,
};
const made = following(undefined, wanted, 3, 1_000);

test("a pattern is where all of it is, with us when nobody has any of it, and nowhere when somebody has a part", () => {
  const ours = { stream: "", blocked: "", unfed: false };
  expect(placeOf("orders.*.placed", [])).toEqual(ours);
  expect(placeOf("orders.*.placed", [{ name: "ORDERS", subjects: ["x", "orders.>"] }])).toEqual({
    ...ours,
    stream: "ORDERS",
  });
  const { stream, blocked } = placeOf("orders.*.placed", [{ name: "EU", subjects: ["orders.eu.*"] }]);
  expect({ stream, blocked }).toEqual({
    stream: "",
    blocked: expect.stringContaining("the stream EU takes in a part of 'orders.*.placed' (orders.eu.*)"),
  });
  // One that has nothing of the very pattern stands beside one that has all of it in no order.
  const both = [
    { name: "EU", subjects: ["orders.eu.*"] },
    { name: "ALL", subjects: ["orders.*.placed"] },
  ];
  expect(placeOf("orders.*.placed", both)).toMatchObject({ stream: "ALL" });
});

test("a record follows its contract, keeps its pause, and is the very same where nothing is to be changed", () => {
  expect(made).toMatchObject({ ...wanted, definitions: 3, createdMs: 1_000 });
  expect(following(made, wanted, 4, 2_000)).toBe(made);
  const paused = { ...made, paused: { actor: "ann", reason: "r", sinceMs: 1_500 } };
  const moved = following(paused, { ...wanted, pattern: "orders.>" }, 4, 2_000);
  expect(moved).toMatchObject({ pattern: "orders.>", definitions: 4, createdMs: 1_000, paused: paused.paused });
  // Who knows an older contract leaves it alone.
  expect(following(moved, wanted, 3, 3_000)).toBe(moved);
});

test("what is gone is retired once, by who knows it, and comes back with its next version", () => {
  const gone = retired(made, 4, 2_000);
  expect(gone).toMatchObject({ retiredMs: 2_000, definitions: 4 });
  expect(retired(gone, 5, 3_000)).toBe(gone);
  expect(retired(made, 2, 2_000)).toBe(made);
  expect(following(gone, wanted, 5, 3_000)).toMatchObject({ retiredMs: undefined, createdMs: 1_000 });
});

test("nothing is taken over HTTP where no consumer would keep it", async () => {
  const find = (record: typeof made) =>
    toEventHooks(
      { heard: () => ({ record, revision: 1 }) },
      { putHook: () => Promise.resolve({ kind: "stored" }) },
      { active: () => Promise.resolve(undefined) },
    ).find("a.B/C/t");
  await expect(find({ ...made, unfed: true, blocked: "no more consumers" })).rejects.toThrow("no more consumers");
  expect(await find(retired(made, 4, 2_000))).toBeUndefined();
});
