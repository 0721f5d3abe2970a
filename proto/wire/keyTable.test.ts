import { array, assert, constantFrom, integer, oneof, property, tuple } from "fast-check";
import { expect, test } from "vitest";
import { KeyTable } from "./keyTable.ts";

test("a table by keys says what a Map would, whatever comes and goes", () => {
  const key = oneof(
    integer({ min: 0, max: 40 }).map(String),
    integer().map((number) => `run-${number}/step/g0/f/1`),
  );
  assert(
    property(array(tuple(constantFrom("add", "delete", "get"), key), { maxLength: 400 }), (deeds) => {
      const table = new KeyTable<{ readonly key: string }>();
      const map = new Map<string, { readonly key: string }>();
      for (const [deed, which] of deeds) {
        expect(table.get(which)).toBe(map.get(which));
        const isGone = deed === "delete" ? [table.delete(which), map.delete(which)] : [false, false];
        expect(isGone[0]).toBe(isGone[1]);
        if (deed === "add" && !map.has(which)) {
          const one = { key: which };
          table.add(one);
          map.set(which, one);
        }
        expect(table.size).toBe(map.size);
      }
      expect(new Set(table.values())).toEqual(new Set(map.values()));
    }),
  );
});
