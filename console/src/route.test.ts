import { expect, test } from "vitest";
import { parseRoute, toHref } from "./route.ts";
import type { Route } from "./route.ts";

const routes: readonly Route[] = [
  { page: "overview" },
  { page: "runs" },
  { page: "run", runId: "0198c0ff" },
  { page: "workflows" },
  { page: "workflow", workflow: "shop.v1.OrderWorkflow/Fulfil" },
  { page: "schedules" },
  { page: "triggers" },
  { page: "services" },
  { page: "incidents" },
  { page: "approvals" },
];

test.each(routes)("$page is found again by its address", (route) => {
  expect(parseRoute(new URL(toHref(route), "http://localhost").pathname)).toEqual(route);
});

test("whatever stands in an id stays in it", () => {
  const route: Route = { page: "run", runId: '"><script>/../%' };
  expect(parseRoute(new URL(toHref(route), "http://localhost").pathname)).toEqual(route);
});

test("what a page shows is in its address, without what is empty", () => {
  expect(toHref({ page: "runs" }, { q: "state == FAILED", columns: undefined, x: "" })).toBe(
    "/console/runs?q=state+%3D%3D+FAILED",
  );
});

test("other paths are no page, and a broken escape breaks nothing", () => {
  expect(parseRoute("/console/nowhere")).toMatchObject({ page: "unknown" });
  expect(parseRoute("/console/services/more")).toMatchObject({ page: "unknown" });
  expect(parseRoute("/console/runs/%E0%A4%A")).toEqual({ page: "run", runId: "%E0%A4%A" });
});
