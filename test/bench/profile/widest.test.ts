import { expect, test } from "vitest";
import type { CpuProfile } from "./cpuProfile.ts";
import { toWidest } from "./widest.ts";

const frame = (functionName: string, url = "") => ({ functionName, url, lineNumber: 6 });
const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame("(root)"), children: [2, 3] },
    { id: 2, callFrame: frame("(idle)") },
    { id: 3, callFrame: frame("turn", "node:internal/timers"), children: [4] },
    { id: 4, callFrame: frame("fold", "file:///app/node_modules/@scope/some/fold.js"), children: [5] },
    { id: 5, callFrame: frame("fold", "file:///app/node_modules/@scope/some/fold.js") },
  ],
  samples: [2, 3, 4, 5, 2],
  timeDeltas: [0, 100, 10, 20, 30],
};

test("a frame has its own time and that of what it called, once however deep it called itself; what waited is not busy", () => {
  const widest = toWidest([profile, profile]);
  expect(widest).toMatchObject({ windowMicros: 320, busyMicros: 120 });
  expect(widest.frames).toEqual([
    { name: "fold", where: "@scope/some/fold.js:7", selfMicros: 100, totalMicros: 100 },
    { name: "turn", where: "node:internal/timers:7", selfMicros: 20, totalMicros: 120 },
  ]);
  expect(widest.places).toEqual([
    { name: "@scope/some", selfMicros: 100 },
    { name: "node:internal/timers", selfMicros: 20 },
  ]);
});
