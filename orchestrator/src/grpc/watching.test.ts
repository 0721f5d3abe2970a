import { status } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { afterAll, expect, test } from "vitest";
import { Run_State, StepStatus } from "../../../proto/gen/sidestep/v1/run.ts";
import type { Run } from "../../../proto/gen/sidestep/v1/run.ts";
import type { WatchRunResponse } from "../../../proto/gen/sidestep/v1/runs.ts";
import { someRun } from "./testing.ts";
import type { FakeFront } from "./testing.ts";
import { openTalk } from "./testing/talk.ts";
import type { Open } from "./testing/talk.ts";

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());

/** All that a watch tells, and how it ends. */
function watched(
  { runs }: Pick<Open, "runs">,
  after: bigint,
  onMessage: (message: WatchRunResponse) => void = () => undefined,
  changes = false,
): Promise<{ readonly told: readonly WatchRunResponse[]; readonly code: number }> {
  const told: WatchRunResponse[] = [];
  return new Promise((resolve) => {
    runs
      .watch({ runId: someRun, after, changes })
      .on("data", (message: WatchRunResponse) => {
        told.push(message);
        onMessage(message);
      })
      .on("end", () => resolve({ told, code: status.OK }))
      .on("error", (error: ServiceError) => resolve({ told, code: error.code }));
  });
}

/** Something happens to the run once per call of the returned function. */
function stepped(front: FakeFront): (state: Run_State, sequence: number) => void {
  let told = Promise.withResolvers<{ readonly kind: "changed" }>();
  front.changing = () => told.promise;
  return (state, sequence) => {
    front.run = { state, ...(state === Run_State.COMPLETED ? { endedAt: { seconds: 1n, nanos: 0 } } : {}) };
    front.sequence = sequence;
    const before = told;
    told = Promise.withResolvers();
    before.resolve({ kind: "changed" });
  };
}

test("a run is told as it stands, after each change, and for the last time at its end", async () => {
  const open = await openTalk(closing, false);
  const happen = stepped(open.front);
  open.front.run = { state: Run_State.RUNNING };
  open.front.sequence = 7;
  const { told, code } = await watched(open, 0n, ({ sequence }) => {
    if (sequence === 7n) happen(Run_State.PAUSED, 9);
    if (sequence === 9n) happen(Run_State.COMPLETED, 12);
  });
  expect(code).toBe(status.OK);
  expect(told.map(({ run, sequence }) => [run?.state, sequence])).toEqual([
    [Run_State.RUNNING, 7n],
    [Run_State.PAUSED, 9n],
    [Run_State.COMPLETED, 12n],
  ]);
});

test("who has seen the run up to a position hears only of what came since", async () => {
  const open = await openTalk(closing, false);
  open.front.run = { state: Run_State.COMPLETED, endedAt: { seconds: 1n, nanos: 0 } };
  open.front.sequence = 12;
  expect(await watched(open, 12n)).toEqual({ told: [], code: status.OK });
  expect((await watched(open, 11n)).told).toHaveLength(1);
});

test("who asks for changes is told the run once, then the steps that are not as they were, and those that are gone", async () => {
  const open = await openTalk(closing, false);
  const step = (path: string, more: Partial<StepStatus> = {}) => StepStatus.fromPartial({ path, ...more });
  let changed = Promise.withResolvers<{ readonly kind: "changed" }>();
  open.front.changing = () => changed.promise;
  const request = Buffer.of(1);
  open.front.run = { request, steps: [step("a"), step("b[0]/c"), step("a", { compensation: true })] };
  open.front.sequence = 1;
  const happen = (run: Partial<Run>): void => {
    open.front.run = { request, ...run };
    open.front.sequence += 1;
    changed.resolve({ kind: "changed" });
    changed = Promise.withResolvers();
  };
  const endedAt = { seconds: 1n, nanos: 0 };
  const onMessage = ({ sequence }: WatchRunResponse): void => {
    if (sequence === 1n) happen({ steps: [step("a"), step("b[1]/c"), step("a", { compensation: true, attempt: 1 })] });
    if (sequence === 2n)
      happen({ endedAt, steps: [step("a"), step("b[1]/c"), step("a", { compensation: true, attempt: 1 })] });
  };
  const { told } = await watched(open, 0n, onMessage, true);
  expect(told.map(({ run, gone }) => [run?.request.length, run?.steps.map(({ path }) => path), gone])).toEqual([
    [1, ["a", "b[0]/c", "a"], []],
    [0, ["b[1]/c", "a"], ["b[0]/c"]],
    [0, [], []],
  ]);
  // Who comes back has it whole before anything is left out.
  open.front.run = { request, steps: [step("a")] };
  open.front.sequence = 5;
  const again = watched(open, 5n, undefined, true);
  await expect.poll(() => open.front.looks).toBeGreaterThan(3);
  happen({ endedAt, steps: [step("a")] });
  expect((await again).told).toMatchObject([{ run: { request, steps: [{ path: "a" }] } }]);
});

test("a run that nobody knows is not found", async () => {
  const open = await openTalk(closing, false);
  expect((await watched(open, 0n)).code).toBe(status.NOT_FOUND);
});
