import { expect, test } from "vitest";
import type { Transition } from "../../../orchestrator/src/engine/transition.ts";
import { AttemptId_Phase as Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { readSimulation } from "../simulation/ground.ts";
import type { SimulationGround } from "../simulation/ground.ts";
import { plainCase } from "./case.ts";
import type { SweepCase } from "./case.ts";
import { judge } from "./judge.ts";
import { playCase } from "./play.ts";
import type { Played } from "./play.ts";

async function played(more: Partial<SweepCase>): Promise<{ readonly ground: SimulationGround; readonly run: Played }> {
  const terminal = { out: () => undefined, err: () => undefined, colors: { out: false, err: false } };
  const options = {
    workflow: "shop.v1.OrderWorkflow/Fulfil",
    folder: "examples/order/proto",
    descriptorSet: undefined,
    request: undefined,
    fixtures: undefined,
    seed: 1,
  };
  const ground = await readSimulation(options, {
    ...terminal,
    input: () => Promise.resolve(new Uint8Array()),
    atInterrupt: () => () => undefined,
    now: () => 0,
    environment: {},
  });
  const set = new Map([["reserve.short", []]]);
  const run = ground === undefined ? undefined : playCase(ground, { ...plainCase, set, ...more });
  if (ground === undefined || run === undefined) throw new Error("it can't be played");
  return { ground, run };
}

function isUndo(one: Transition): boolean {
  return one.kind === "stepEnded" && one.address.phase === Phase.COMPENSATE;
}

test("a run that undid what it had done is right; one that left something, did it twice or in another order is not", async () => {
  const { ground, run } = await played({ fail: new Map([["ship", "final"]]) });
  expect(judge(ground, run)).toEqual([]);
  const undone = run.transitions.filter(isUndo);
  const rest = run.transitions.filter((one) => !isUndo(one));
  const [charge, reserve] = undone;
  if (charge === undefined || reserve === undefined) throw new Error("nothing was undone");
  const judged = (...transitions: readonly Transition[]) =>
    judge(ground, { ...run, transitions: [...rest, ...transitions] });
  expect(judged(charge)).toEqual(["reserve was done and is not undone"]);
  expect(judged(charge, reserve, charge)).toEqual(["charge is undone twice"]);
  expect(judged(reserve, charge)).toEqual(["undone were reserve, charge, and not charge, reserve"]);
  const failed = await played({ fail: new Map([["reserve", "final"]]) });
  const wrong = { ...failed.run, transitions: [...failed.run.transitions, reserve] };
  expect(judge(failed.ground, wrong)).toEqual(["reserve is undone and was not done"]);
});

test("a completed run undoes nothing, and a run that stands still does not end", async () => {
  const { ground, run } = await played({});
  expect(judge(ground, run)).toEqual([]);
  const { run: undoing } = await played({ fail: new Map([["ship", "final"]]) });
  const wrong = { ...run, transitions: [...run.transitions, ...undoing.transitions.filter(isUndo)] };
  expect(judge(ground, wrong)).toEqual([
    "charge is undone, and the run completed",
    "reserve is undone, and the run completed",
  ]);
  const stuck = { ...run, state: { ...run.state, ended: undefined } };
  expect(judge(ground, stuck)[0]).toMatch(/^it does not end: /);
});
