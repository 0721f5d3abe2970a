import { expect, test } from "vitest";
import { nodeFlags } from "../bin/nodeFlags.mjs";
import { runProgram } from "./support/program.ts";

/** Places that make objects which are all in hands at each collection, as in a burst, and then go on to make such as are soon over. */
const burst = `
  import { PerformanceObserver, constants } from "node:perf_hooks";
  let wholeHeap = 0;
  new PerformanceObserver((list) => {
    wholeHeap += list.getEntries().filter(({ detail }) => detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR).length;
  }).observe({ entryTypes: ["gc"] });
  const turn = () => new Promise((resolve) => setTimeout(resolve, 0));
  const places = Array.from({ length: 20 }, (_, at) => new Function("n", "return { n, body: [n, n + " + at + "], end: undefined };"));
  const inHands = [];
  for (let round = 0; round < 30; round += 1) {
    for (const make of places) for (let n = 0; n < 150; n += 1) inHands.push(make(n));
    for (let n = 0; n < 30; n += 1) inHands.push(new Array(10_000).fill(n));
    inHands.splice(0, inHands.length - 8_000);
    await turn();
  }
  inHands.length = 0;
  const before = wholeHeap;
  const lately = new Array(64);
  let made = 0;
  for (let round = 0; round < 30; round += 1) {
    for (const make of places) for (let n = 0; n < 3_000; n += 1) lately[made++ % 64] = make(n);
    await turn();
  }
  await turn();
  console.log(wholeHeap - before);
`;

/** A small heap, so that little has to be made. */
const small = ["--max-semi-space-size=4", "--max-old-space-size=64"];

test.each([
  { program: "a sidecar", flags: nodeFlags.sidecar },
  { program: "an orchestrator", flags: nodeFlags.orchestrator },
])(
  "after a burst $program's Node collects young what is soon over, without a walk over the whole heap for it",
  async ({ flags }) => {
    const args = [...small, ...flags, "--input-type=module", "--eval", burst];

    const ran = await runProgram({ name: "burst", command: process.execPath, args });

    expect(ran.code).toBe(0);
    // Fifteen where its objects have been made old.
    expect(Number(ran.stdout.trim() || Number.NaN)).toBeLessThanOrEqual(3);
  },
);
