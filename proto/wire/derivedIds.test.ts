import assert from "node:assert/strict";
import { expect, test } from "vitest";
import { childRunId } from "./childRunId.ts";
import { isLockId, lockId } from "./lockId.ts";
import { layoutOf, parseRunId, timeOf } from "./runId.ts";

const parent = parseRunId("01a1fd89a9fb30000000000000000001");

test("a child's id never changes: starts of it are in logs", () => {
  assert(parent !== undefined);
  expect(childRunId(parent, "labels[3]/label", 0)).toBe("01a1fd89a9fb37f9e64486f23ce0fa9f");
});

test("a child has its parent's time and layout, and each generation of a step has its own child", () => {
  assert(parent !== undefined);
  const ids = [childRunId(parent, "a", 0), childRunId(parent, "a", 1), childRunId(parent, "b", 0)];
  expect(new Set(ids).size).toBe(3);
  for (const id of ids) {
    expect(parseRunId(id)).toBe(id);
    expect([timeOf(id), layoutOf(id)]).toEqual([timeOf(parent), 3]);
  }
  expect(ids.some(isLockId)).toBe(false);
});

test("a lock keeps its log when a layout is added", () => {
  const first = { generation: 1, partitions: 2 };
  const id = lockId({ layout: [first] }, "stock 7");
  expect(id).toBe("0000000000001af23b3e4c63b9507403");
  expect(isLockId(id)).toBe(true);
  expect(lockId({ layout: [{ generation: 2, partitions: 5 }, first] }, "stock 7")).toBe(id);
});
