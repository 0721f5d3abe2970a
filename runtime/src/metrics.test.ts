import { expect, test } from "vitest";
import { openAdminServer } from "./adminServer.ts";
import { openMetrics } from "./metrics.ts";

test("a process tells how late its event loop came since it was asked last", async () => {
  await using metrics = openMetrics({ "service.name": "test" }, "1.0.0");
  await using admin = await openAdminServer({ port: 0, readyz: () => ({ ok: true }), metrics: metrics.scrape });
  const lag = async (): Promise<number> => {
    const text = await (await fetch(`http://127.0.0.1:${admin.port}/metrics`)).text();
    expect(text).toMatch(/^nodejs_eventloop_delay_p99_seconds\{.*\} /m);
    expect(text).toMatch(/^nodejs_eventloop_utilization\{.*\} /m);
    return Number(/^nodejs_eventloop_delay_max_seconds\{.*\} (\S+)/m.exec(text)?.[1]);
  };
  await lag();
  const untilMs = Date.now() + 150;
  while (Date.now() < untilMs);
  const blocked = await lag();
  expect(blocked).toBeGreaterThan(0.1);
  // What was told is told once.
  expect(await lag()).toBeLessThan(blocked);
});
