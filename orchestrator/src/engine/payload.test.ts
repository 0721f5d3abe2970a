import { expect, test } from "vitest";
import type { PayloadRef } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { loadedBytesMax, payloadToLoad, withPayload } from "./payload.ts";
import { makePlan } from "./testing/plan.ts";
import { eventAt } from "./testing/records.ts";

const ref: PayloadRef = { service: "_", id: "1", chunks: 1, sizeBytes: 300_000, runId: "", key: new Uint8Array() };
const ended = (step: string, responsePayload: PayloadRef) =>
  eventAt(5, 0, {
    $case: "childEnded",
    value: {
      step: { step, generation: 0 },
      runId: new Uint8Array(16),
      ended: { state: Run_State.COMPLETED, response: new Uint8Array(), status: undefined, step: "", responsePayload },
    },
  });
const plan = makePlan({
  steps: [
    { id: "passed", action: { kind: "run", workflow: "sub.S/Sub" } },
    { id: "read", action: { kind: "run", workflow: "sub.S/Sub" } },
    { id: "seen", action: { kind: "let", value: "read" } },
  ],
});

test("a child's response that is kept apart is loaded where an expression reads it, up to a size, and once", () => {
  const record = ended("each[3]/read", ref);
  expect(payloadToLoad(plan, record)).toBe(ref);
  expect(payloadToLoad(plan, ended("passed", ref))).toBeUndefined();
  expect(payloadToLoad(plan, ended("read", { ...ref, sizeBytes: loadedBytesMax + 1 }))).toBeUndefined();
  const loaded = withPayload(record, Uint8Array.of(7));
  expect(payloadToLoad(plan, loaded)).toBeUndefined();
  expect(loaded).toMatchObject({
    fact: { event: { kind: { value: { ended: { response: Uint8Array.of(7), responsePayload: ref } } } } },
  });
});
