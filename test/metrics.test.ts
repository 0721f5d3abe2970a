import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { repositoryRoot } from "./support/program.ts";
import { familiesIn, scrapeBoth, tracedRun } from "./support/scrapes.ts";

const manual = readFileSync(path.join(repositoryRoot, "docs/metrics.md"), "utf8");
const rows = [...manual.matchAll(/^\| `(\w+)` \|([^|]*)\|/gm)];

test("the documentation lists every metric with its labels, and no other", async () => {
  const scraped = await scrapeBoth();
  const told = new Map(
    rows.map(([, name = "", labels = ""]) => [name, [...labels.matchAll(/`(\w+)`/g)].map((it) => it[1])]),
  );
  const text = scraped.orchestrator + scraped.sidecar;
  const found = familiesIn(text)
    .map(({ name }) => name)
    .filter((name) => name !== "target_info");
  expect([...told.keys()].toSorted()).toEqual([...new Set(found)].toSorted());
  for (const [name, labels] of told) {
    const series = new RegExp(`^${name}(?:_bucket)?\\{(.*)\\} `, "m").exec(text)?.[1] ?? "";
    const written = [...series.matchAll(/(\w+)="/g)].map((it) => it[1]);
    expect([name, ...written.filter((label) => label !== "le" && label?.startsWith("otel_") === false)]).toEqual([
      name,
      ...labels,
    ]);
  }
});

test("a scraper that takes OpenMetrics gets the trace of a run beside what it took", async () => {
  const { orchestrator, sidecar } = await scrapeBoth("application/openmetrics-text; version=1.0.0");
  expect(orchestrator).toMatch(
    new RegExp(
      `^sidestep_orchestrator_run_duration_seconds_bucket\\{.*le="0.1"\\} 1 # \\{trace_id="${tracedRun}"\\} 0.09 `,
      "m",
    ),
  );
  expect(sidecar).toMatch(
    new RegExp(
      `^sidestep_sidecar_task_queue_seconds_bucket\\{.*le="0.025"\\} 1 # \\{trace_id="${tracedRun}"\\} 0.012 `,
      "m",
    ),
  );
  expect(sidecar.endsWith("# EOF\n")).toBe(true);
});
