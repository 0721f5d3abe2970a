import { afterAll, beforeAll, expect, test } from "vitest";
import type { MethodLimit } from "../../proto/gen/sidestep/internal/v1/record.ts";
import { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import { startNats } from "../support/nats.ts";
import type { Nats } from "../support/nats.ts";
import { makeCall, makePlan, openOrchestrator, service } from "../support/orchestrators.ts";
import type { Orchestrator } from "../support/orchestrators.ts";
import { sidecarReady } from "../support/orderStack.ts";
import { startNode } from "../support/program.ts";
import type { Program } from "../support/program.ts";
import { mostAtATime, mostWithin, openSeenService } from "../support/seenService.ts";
import type { SeenService } from "../support/seenService.ts";

// Measured at the service, with two sidecars beside it.

const unavailable = 14;
/** Calls at a time of a sidecar, unless told. */
const slots = 64;
const limited = `${service}/Do`;
const plans = {
  do: makePlan([makeCall("a")], "test.v1.Flows/Do"),
  other: makePlan([makeCall("a", { method: `${service}/Other` })], "test.v1.Flows/Other"),
};

let nats: Nats;
let seen: SeenService;
let orchestrator: Orchestrator;
const sidecars: Program[] = [];

beforeAll(async () => {
  nats = await startNats();
  seen = await openSeenService(service, ["Do", "Other"]);
  orchestrator = await openOrchestrator(nats.url, Object.values(plans));
  sidecars.push(await startSidecar(), await startSidecar());
});

afterAll(async () => {
  await Promise.all(sidecars.map((one) => one.kill9()));
  await orchestrator?.[Symbol.asyncDispose]();
  await seen?.[Symbol.asyncDispose]();
  await nats?.[Symbol.asyncDispose]();
});

function startSidecar(): Promise<Program> {
  return startNode("sidecar/src/main.ts", {
    name: "sidecar",
    args: ["--service", seen.address, "--expose", service, "--admin-port", "0"],
    env: { NATS_URL: nats.url, NODE_OPTIONS: undefined },
    readyLine: sidecarReady,
  });
}

async function setLimit(bounds: Partial<MethodLimit>): Promise<void> {
  const limit = {
    method: limited,
    concurrency: 0,
    concurrencyPerSidecar: 0,
    rateCalls: 0,
    ratePerMs: 0,
    sinceMs: Date.now(),
    liftedMs: 0,
    ...bounds,
  };
  await heard(/"a method is limited"/, () => orchestrator.limits.change(() => [limit]));
}

async function clearLimit(): Promise<void> {
  await heard(/"a method is limited no more"/, () => orchestrator.limits.change(() => []));
}

/** Changes limits; resolves when each sidecar has heard of it. */
async function heard(line: RegExp, change: () => Promise<boolean>): Promise<void> {
  const hearing = sidecars.map(({ lines, waitForLine }) => waitForLine(line, { from: lines.length }));
  expect(await change()).toBe(true);
  await Promise.all(hearing);
}

/** Starts so many runs of one call each; resolves with how they have ended. */
async function run(count: number, plan = plans.do): Promise<readonly (Run_State | undefined)[]> {
  const ids = await Promise.all(Array.from({ length: count }, () => orchestrator.begin(plan)));
  const { front } = orchestrator.processor;
  const ends = await Promise.all(ids.map((id) => front.wait(id, AbortSignal.timeout(60_000))));
  return ends.map((end) => (end.kind === "ended" ? end.ended.state : undefined));
}

/** Calls of the limited method from here on. */
function fromNow(): () => typeof seen.calls {
  const from = seen.calls.length;
  return () => seen.calls.slice(from).filter(({ method }) => method === "Do");
}

test.each([1, 4])("a limit of %i calls at a time holds exactly over two sidecars", async (concurrency) => {
  seen.answer = () => ({ code: 0, afterMs: 15 });
  await setLimit({ concurrency });
  const calls = fromNow();
  await run(40);
  expect([calls().length, mostAtATime(calls())]).toEqual([40, concurrency]);
});

test("a limit of each sidecar holds in each", async () => {
  seen.answer = () => ({ code: 0, afterMs: 15 });
  await setLimit({ concurrencyPerSidecar: 3 });
  const calls = fromNow();
  await run(80);
  expect([calls().length, mostAtATime(calls())]).toEqual([80, 6]);
});

test("a rate holds in every second over two sidecars, with one call more at its edges", async () => {
  seen.answer = () => ({ code: 0, afterMs: 1 });
  await setLimit({ rateCalls: 40, ratePerMs: 1_000 });
  const calls = fromNow();
  await run(55);
  expect(calls().length).toBe(55);
  expect(mostWithin(calls(), 1_000)).toBeLessThanOrEqual(41);
});

test("what waits for a limited method holds up no other method of the service", async () => {
  seen.answer = ({ method }) => ({ code: 0, afterMs: method === "Do" ? 30 : 0 });
  await setLimit({ concurrency: 1 });
  const calls = fromNow();
  const slow = run(60);
  await expect.poll(() => calls().length).toBeGreaterThan(0);
  await run(60, plans.other);
  expect(calls().length).toBeLessThan(60);
  await clearLimit();
  await slow;
});

test("a limit that is set and lifted while calls wait is in force from then on, and none is lost", async () => {
  seen.answer = () => ({ code: 0, afterMs: 40 });
  const calls = fromNow();
  const all = run(400);
  await expect.poll(() => calls().length, { timeout: 10_000 }).toBeGreaterThan(100);
  await setLimit({ concurrency: 2 });
  // Between two waves of calls few run as well: the limit is in force when the last ten have begun under it.
  await expect.poll(() => mostAtATime(calls().slice(-10)), { timeout: 10_000 }).toBeLessThanOrEqual(2);
  const quietMs = performance.now();
  const before = calls().length;
  await expect.poll(() => calls().length, { timeout: 10_000 }).toBeGreaterThan(before + 20);
  expect(mostAtATime(calls(), quietMs)).toBe(2);
  await clearLimit();
  await expect.poll(() => seen.running("Do"), { timeout: 10_000 }).toBeGreaterThan(2);
  await all;
  expect(calls().length).toBe(400);
});

test("a service that is away under many runs is left alone, and none of them spends its attempts", async () => {
  let isAway = true;
  seen.answer = () => ({ code: isAway ? unavailable : 0, afterMs: 2 });
  const calls = fromNow();
  const all = run(300);
  for (const { waitForLine } of sidecars) await waitForLine(/too many calls of a method fail/);
  await expect.poll(() => seen.running("Do")).toBe(0);
  isAway = false;
  // Of five attempts in a second of back-off none would be left.
  expect(await all).toEqual(Array.from({ length: 300 }, () => Run_State.COMPLETED));
  const begunAnyway = sidecars.length * 2 * slots;
  expect(calls().length).toBeLessThan(300 + begunAnyway);
  expect(sidecars.some(({ lines }) => lines.some((line) => line.includes("a method answers again")))).toBe(true);
});

test("a limit holds when a sidecar is killed in the midst of its calls", async () => {
  seen.answer = () => ({ code: 0, afterMs: 15 });
  await setLimit({ concurrency: 4 });
  const calls = fromNow();
  const all = run(120);
  await expect.poll(() => calls().length).toBeGreaterThan(40);
  await sidecars[0]?.kill9();
  await all;
  expect(mostAtATime(calls())).toBe(4);
});
