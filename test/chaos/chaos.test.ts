import { expect, test } from "vitest";
import { startOrderStack } from "../support/orderStack.ts";
import { runStorm } from "./storm.ts";

test("every accepted order ends as it should while all processes are killed in turn, and no effect is missing, doubled or left over", async () => {
  await using stack = await startOrderStack({ serviceEnv: { shipping: { SHIP_DELAY_MS: "50" } } });

  const report = await runStorm(stack, { killsOfEach: 3, inFlight: 20, seed: 7, progress: () => undefined });

  expect(report.breaches).toEqual([]);
  expect(report.orders).toBeGreaterThanOrEqual(20);
  expect(report.kills).toEqual({ orchestrator: 3, sidecar: 3, service: 3, "nats-server": 3 });
}, 240_000);
