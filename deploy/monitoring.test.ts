import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ensurePromtool } from "../scripts/promtool.mjs";
import { promtool } from "../test/support/promtool.ts";
import { familiesIn, scrapeBoth } from "../test/support/scrapes.ts";

const here = import.meta.dirname;
const alerts = path.join(here, "prometheus/alerts.yaml");
const dashboard: {
  readonly panels: readonly { readonly title: string; readonly targets?: readonly { readonly expr: string }[] }[];
} = JSON.parse(readFileSync(path.join(here, "grafana/dashboard.json"), "utf8"));
const queries = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
const folder = mkdtempSync(path.join(os.tmpdir(), "sidestep-monitoring-"));
afterAll(() => rmSync(folder, { recursive: true }));

let scraped: Awaited<ReturnType<typeof scrapeBoth>>;
let series: ReadonlySet<string>;
beforeAll(async () => {
  scraped = await scrapeBoth();
  const families = familiesIn(scraped.orchestrator + scraped.sidecar);
  series = new Set(
    families.flatMap(({ name, type }) =>
      type === "histogram" ? ["_bucket", "_sum", "_count"].map((end) => name + end) : [name],
    ),
  );
});

/** Names of metrics in a query. */
function metricsOf(query: string): readonly string[] {
  return query.match(/\b(?:sidestep|nodejs)_\w+/g) ?? [];
}

test("the alert rules are rules, and do what their own tests say", () => {
  expect(promtool("check", "rules", alerts)).toContain("SUCCESS");
  expect(promtool("test", "rules", path.join(here, "prometheus/alerts.test.yaml"))).toContain("SUCCESS");
});

test("the dashboard's queries are PromQL", () => {
  const rules = queries.map((expr, at) => ({ record: `query:${at}`, expr: expr.replaceAll("$__rate_interval", "5m") }));
  const file = path.join(folder, "queries.yaml");
  writeFileSync(file, JSON.stringify({ groups: [{ name: "queries", rules }] }));
  expect(promtool("check", "rules", file)).toContain(`${queries.length} rules found`);
});

test("alerts and dashboard ask for metrics that there are, and each panel for one", () => {
  const asked = [...queries, readFileSync(alerts, "utf8").replaceAll(/^ *(?:#|action:|summary:).*$/gm, "")];
  expect(asked.flatMap(metricsOf).filter((name) => !series.has(name))).toEqual([]);
  expect(queries.filter((query) => metricsOf(query).length === 0)).toEqual([]);
  expect(queries.length).toBeGreaterThan(20);
});

test("what is scraped is as Prometheus wants metrics to be named", () => {
  for (const text of Object.values(scraped)) {
    const lint = execFileSync(ensurePromtool(), ["check", "metrics"], { input: text, encoding: "utf8" });
    expect(lint).toBe("");
  }
});
