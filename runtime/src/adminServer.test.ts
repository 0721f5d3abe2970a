import { expect, test } from "vitest";
import { openAdminServer } from "./adminServer.ts";
import { openMetrics } from "./metrics.ts";

test("probes say what they are told, and metrics come in Prometheus' text form", async () => {
  await using metrics = openMetrics({ "service.name": "test" }, "1");
  metrics.meter.createCounter("sidestep.test.things", { description: "Things." }).add(3, { kind: "a" });
  let isReady = false;
  await using admin = await openAdminServer({
    port: 0,
    readyz: () => ({ ok: isReady, detail: "so far" }),
    metrics: metrics.scrape,
  });
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${admin.port}${path}`);
    return [response.status, await response.text()];
  };
  expect(await get("/livez")).toEqual([200, "ok\n"]);
  expect(await get("/readyz")).toEqual([503, "so far\n"]);
  isReady = true;
  expect(await get("/readyz?verbose")).toEqual([200, "so far\n"]);
  expect(await get("/elsewhere")).toEqual([404, "not here; see /\n"]);
  const [status, text] = await get("/metrics");
  expect(status).toBe(200);
  expect(text).toMatch(/^sidestep_test_things_total\{kind="a".*\} 3$/m);
});

test("a taken port is passed over when that is allowed, and an error when it is not", async () => {
  const about = { readyz: () => ({ ok: true }), metrics: () => undefined };
  await using first = await openAdminServer({ ...about, port: 0 });
  await using next = await openAdminServer({ ...about, port: first.port, portsTried: 20 });
  expect(next.port).toBeGreaterThan(first.port);
  await expect(openAdminServer({ ...about, port: first.port })).rejects.toThrow(/no port for the admin server/);
});
