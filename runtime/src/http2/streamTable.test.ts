import { array, assert, integer, property } from "fast-check";
import { expect, test } from "vitest";
import { ClientStream } from "./clientStream.ts";
import { StreamTable } from "./streamTable.ts";

const sink = { onHead: () => undefined, onContent: () => undefined, onEnd: () => undefined };

test("a table of streams says what a Map would, whatever comes and goes", () => {
  assert(
    // Few numbers, far apart: they meet in the same slots.
    property(array(integer({ min: 0, max: 400 }), { maxLength: 300 }), (steps) => {
      const table = new StreamTable<ClientStream>();
      const expected = new Map<number, ClientStream>();
      for (const step of steps) {
        const id = (step % 40) * 64 + 1 + 2 * (step % 3);
        const stream = expected.get(id);
        expect(table.get(id)).toBe(stream);
        if (stream === undefined) {
          const made = new ClientStream(id, sink, 0, 0);
          expected.set(id, made);
          table.add(made);
        } else {
          expected.delete(id);
          table.delete(id);
        }
        table.delete(id + 64 * 41);
        expect(table.size).toBe(expected.size);
      }
      expect(new Set(table.values())).toEqual(new Set(expected.values()));
    }),
  );
});
