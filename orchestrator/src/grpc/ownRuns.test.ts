import { hash } from "node:crypto";
import { expect, test } from "vitest";
import { HistoryEvent_Kind as Kind } from "../../../proto/gen/sidestep/v1/run.ts";
import { toCredentials } from "../processor/credentials.ts";
import { startNats } from "../../../test/support/nats.ts";
import { makeCall, makePlan, openFakeSidecar, openOrchestrator } from "../../../test/support/orchestrators.ts";
import { toOwnRuns } from "./ownRuns.ts";

test("who has begun a run hears of it by its id, however long it is and whoever has talked to it since", async () => {
  await using server = await startNats();
  const plan = makePlan(Array.from({ length: 30 }, (_, i) => makeCall(`s${i}`)));
  await using orchestrator = await openOrchestrator(server.url, plan, { over: { bounds: { snapshotEvery: 10 } } });
  const { front } = orchestrator.processor;
  const { plan: plain } = plan;
  const started = await front.start(
    {
      active: { workflow: plain.workflow, version: 1, plan, planHash: planHash(plain.workflow) },
      request: new Uint8Array(),
      metadata: new Map(),
      idempotencyKey: undefined,
      trace: () => ({ traceId: new Uint8Array(16), parentSpanId: new Uint8Array(), sampled: false, tracestate: "" }),
      actor: "shop.v1.Orders",
    },
    AbortSignal.timeout(20_000),
  );
  if (started.kind !== "started") throw new Error(`not started: ${started.kind}`);
  const { runId } = started;
  await using _sidecar = await openFakeSidecar(server.url);
  expect((await front.wait(runId, AbortSignal.timeout(20_000))).kind).toBe("ended");
  // It has been summed up: what its history shows begins behind that.
  const history = await front.history(runId, 0, 1);
  expect(history).toMatchObject({ kind: "history", events: [expect.not.objectContaining({ kind: Kind.RUN_STARTED })] });
  const own = toOwnRuns({ credentials: toCredentials([Buffer.from("secret")]), front });
  expect(await own.refusal("shop.v1.Orders", runId, "")).toBeUndefined();
  expect(await own.refusal("bank.v1.Accounts", runId, "")).toMatchObject({ reason: "RUN_NOT_OWN" });
});

function planHash(workflow: string): Uint8Array {
  return hash("sha256", workflow, "buffer");
}
