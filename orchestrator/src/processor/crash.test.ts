import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { startNats } from "../../../test/support/nats.ts";
import {
  endsOfRuns,
  makeCall,
  makePlan,
  makeWait,
  openFakeSidecar,
  openOrchestrator,
  timersLeft,
} from "../../../test/support/orchestrators.ts";
import type { Orchestrator } from "../../../test/support/orchestrators.ts";

const plan = makePlan([makeCall("a"), makeWait("short", 1500), makeCall("b"), makeWait("long", 2200), makeCall("c")]);
const options = { partitions: 2, over: { bounds: { silenceMs: 1200, idleMs: 300, sweepEveryMs: 100 } } };

test("owners and nats-server are killed again and again: every accepted run ends once, every attempt is made once", async () => {
  await using server = await startNats();
  await using door = await openOrchestrator(server.url, plan, { ...options, over: { ownsPartitions: false } });
  await using sidecar = await openFakeSidecar(server.url, async (task) => {
    await pause(Math.random() * 20);
    return task.attempt?.attempt === 1 && Math.random() < 0.2 ? { code: 14 } : "complete";
  });
  let owner = await openOrchestrator(server.url, plan, options);
  const accepted: RunId[] = [];
  let isStarting = true;
  const starting = (async () => {
    while (isStarting) {
      const result = await door.start(plan);
      if (result.kind === "started") accepted.push(result.runId);
      await pause(15);
    }
  })();
  for (let round = 0; round < 5; round++) {
    // Long enough for the checkpoint to have moved on, which is renewed each second.
    await expect.poll(() => owner.processor.owned(), { timeout: 10_000 }).toEqual([0, 1]);
    await pause(1100 + Math.random() * 900);
    if (round === 2) {
      await server.kill9();
      await server.restart();
    } else {
      const next: Orchestrator = await openOrchestrator(server.url, plan, options);
      await owner.kill();
      owner = next;
    }
  }
  isStarting = false;
  await starting;
  expect(accepted.length).toBeGreaterThan(50);
  const { front } = door.processor;
  const waited = await Promise.all(accepted.map((runId) => front.wait(runId, AbortSignal.timeout(25_000))));
  expect(waited.filter(({ kind }) => kind !== "ended")).toEqual([]);
  const states = await Promise.all(accepted.map(async (runId) => front.get(runId)));
  expect(states.filter((found) => found.kind !== "run" || found.run.state !== Run_State.COMPLETED)).toEqual([]);
  const ends = await endsOfRuns(server.url, options.partitions);
  expect(accepted.filter((runId) => ends.get(runId) !== 1)).toEqual([]);
  expect(sidecar.calls.filter((key, i) => sidecar.calls.indexOf(key) !== i)).toEqual([]);
  await expect.poll(() => timersLeft(server.url), { timeout: 10_000 }).toEqual([]);
  await owner[Symbol.asyncDispose]();
}, 60_000);
