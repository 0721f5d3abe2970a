import { afterAll, beforeAll, expect, test } from "vitest";
import type { DescribeStepResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import { EvaluatedExpression, StepAttempt, StepAttempt_Result } from "../../proto/gen/sidestep/v1/step_details.ts";
import { Run, StepStatus } from "../../proto/gen/sidestep/v1/run.ts";
import type { RunLists } from "../../orchestrator/src/grpc/listing.ts";
import { fakeDefinitions, fakeFront, makeEntry, openTestServer, someRun } from "../../orchestrator/src/grpc/testing.ts";
import { contractOf, parseImage } from "../../orchestrator/src/processor/contract.ts";
import { code } from "../../proto/wire/status.ts";
import { buildImage } from "../../test/support/image.ts";
import { runHere } from "./testing.ts";

const closing = new AsyncDisposableStack();
afterAll(() => closing.disposeAsync());
let address = "";
let details: DescribeStepResponse;

beforeAll(async () => {
  const image = parseImage(await buildImage("examples/order/proto"));
  const contract = image === undefined ? new Uint8Array() : contractOf(image, "shop.v1.OrderWorkflow");
  const definitions = fakeDefinitions(contract);
  definitions.set([makeEntry("shop.v1.OrderWorkflow/Fulfil")]);
  // An archived run: what the log has no more needs no processor.
  const run = { ...Run.fromPartial({ runId: someRun }), steps: [StepStatus.fromPartial({ path: "reserve" })] };
  const trace = { traceId: "t", tree: [], otlpJson: "{}" };
  const archived = () =>
    Promise.resolve({ run, events: [], trace, steps: [{ step: "reserve", compensation: false, details }] });
  const unknown = () => Promise.resolve({ kind: "unknown" } as const);
  const front = { ...fakeFront(), get: unknown, history: unknown, records: unknown };
  const server = closing.use(
    await openTestServer(front, definitions, { lists: { archived } as Partial<RunLists> as RunLists }),
  );
  address = `127.0.0.1:${server.port}`;
});

const step = (...args: readonly string[]) => runHere(["run", "step", someRun, ...args, "--address", address]);
const at = (seconds: number) => ({ seconds: BigInt(seconds), nanos: 0 });
const attempt = {
  attempt: 1,
  method: "shop.v1.OrderWorkflow/Fulfil",
  askedAt: at(1),
  beganAt: at(2),
  endedAt: at(5),
  result: StepAttempt_Result.IN_DOUBT,
  status: { code: code.UNAVAILABLE, message: "cut off" },
  requestType: "shop.v1.FulfilRequest",
  // order_id: "o-1"
  request: Buffer.from("0a036f2d31", "hex"),
  sidecar: "left one",
};

test("a step is shown with what it computed, and its attempts with what they sent and how they ended", async () => {
  details = {
    expressions: [
      EvaluatedExpression.fromPartial({ name: "when", text: "input.x\n  > 1", json: "true" }),
      EvaluatedExpression.fromPartial({ name: "request", text: "{}", error: "no such key" }),
    ],
    attempts: [
      attempt,
      { ...attempt, attempt: 2 },
      { ...attempt, attempt: 3, request: Buffer.of(), requestBytes: 9n },
    ].map((one) => StepAttempt.fromPartial(one)),
  };
  const { code: ended, stdout } = await step("reserve");
  expect(ended).toBe(0);
  expect(stdout).toMatch(/^when +input\.x > 1 +true$/m);
  expect(stdout).toMatch(/^request +\{\} +failed: no such key$/m);
  expect(stdout).toMatch(/^1 +in doubt +1970-01-01T00:00:01.000Z +3.0 s +left one .*Fulfil +UNAVAILABLE: cut off$/m);
  expect(stdout).toContain('sent by attempt 1, 2: shop.v1.FulfilRequest\n{\n  "orderId": "o-1"\n}');
  expect(stdout).toContain("sent by attempt 3: 9 bytes of shop.v1.FulfilRequest, kept apart");
  expect(JSON.parse((await step("reserve", "-o", "json")).stdout)).toMatchObject({
    attempts: [{ result: "IN_DOUBT" }, {}, {}],
  });
});

test("a request in which something is declared debug_redact is said not to be shown, not shown as empty", async () => {
  details = {
    expressions: [EvaluatedExpression.fromPartial({ name: "request", text: "{}", hidden: true })],
    attempts: [StepAttempt.fromPartial({ ...attempt, request: Buffer.of() })],
  };
  expect((await step("reserve")).stdout).toContain("sent by attempt 1: not shown: what is declared debug_redact");
});

test("a step that has not begun is told, with where steps are shown", async () => {
  const { code: ended, stderr } = await step("ship");
  expect([ended, stderr]).toEqual([5, expect.stringContaining("`sidestep run describe <run id>` shows its steps")]);
});
