import { expect, test } from "vitest";
import { RunEnded, RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import { Incident_Reason, Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { newRun } from "../engine/state.ts";
import type { Transition } from "../engine/transition.ts";
import { noticesOfTurn } from "./notices.ts";

const runId = "0192f7a1b2c30abc1122334455667788";
const started = RunStarted.fromPartial({ workflow: "shop.v1.Orders/Place", version: 3, key: "o-1" });
const state = { ...newRun(runId), started };
const status = RpcStatus.fromPartial({ code: 14, message: "no route" });
const incident: Transition = {
  kind: "incidentOpened",
  address: { step: "ship", generation: 0, phase: 1 },
  reason: Incident_Reason.EXHAUSTED,
  status,
  attempts: 3,
  atMs: 1_000,
};

function endedIn(runState: Run_State): Transition {
  const ended = RunEnded.fromPartial({ state: runState, status, step: "ship" });
  return { kind: "runEnded", ended, startedMs: 0, endedMs: 2_000 };
}

test("an incident and a failed run are told, with ids that are the same when they are told again", () => {
  const turn = [incident, { ...incident, atMs: 1_001 }, endedIn(Run_State.COMPENSATED)];
  const notices = noticesOfTurn(state, 12, turn);
  const run = { runId, traceId: runId, workflow: "shop.v1.Orders/Place", version: 3, key: "o-1", step: "ship" };
  expect(notices).toMatchObject([
    { ...run, id: `${runId}-12-0`, name: "incident", atMs: 1_000, reason: 1, compensation: true, code: 14 },
    { ...run, id: `${runId}-12-1`, name: "incident", atMs: 1_001 },
    { ...run, id: `${runId}-12-2`, name: "run failed", atMs: 2_000, state: Run_State.COMPENSATED, message: "no route" },
  ]);
  expect(noticesOfTurn(state, 12, turn)).toEqual(notices);
});

test.each([
  [Run_State.FAILED, 1],
  [Run_State.COMPENSATED, 1],
  [Run_State.COMPENSATION_FAILED, 1],
  [Run_State.COMPLETED, 0],
  [Run_State.CANCELLED, 0],
  [Run_State.TERMINATED, 0],
])("of a run that ends in state %i there are %i notices", (runState, many) => {
  expect(noticesOfTurn(state, 1, [endedIn(runState)])).toHaveLength(many);
});
