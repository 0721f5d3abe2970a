import { expect, test } from "vitest";
import type { AuditEntry } from "../api/audit.ts";
import { joinedEntries } from "./joinedEntries.ts";

function entry(id: string, times: number): AuditEntry {
  return { id, times } as Partial<AuditEntry> as AuditEntry;
}

test("an entry that comes in two pages, or twice in one, is shown once, as it is now", () => {
  const first = joinedEntries([], [entry("c", 3), entry("b", 1), entry("c", 2)]);
  const both = joinedEntries(first, [entry("b", 0), entry("c", 1), entry("a", 1)]);
  expect(both.map(({ id, times }) => `${id} ${times}`)).toEqual(["c 3", "b 1", "a 1"]);
});
