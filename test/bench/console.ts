import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import type { Page } from "playwright-core";
import { openRunStore } from "../../orchestrator/src/sql/store.ts";
import { makeRow } from "../../orchestrator/src/sql/testing.ts";
import { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import { ensureConsole } from "../../scripts/bundle/console.ts";
import { sizesOf } from "../console/sizes.ts";
import { startBrowser } from "../support/browser.ts";
import { repositoryRoot } from "../support/program.ts";
import { median, quantile } from "./accounting.ts";
import { encodeCounts } from "./long/count.ts";
import { startLongStack } from "./long/stack.ts";
import { heading, progress } from "./stack.ts";
import { textTable } from "./textTable.ts";

const help = `npm run bench -- console [options]

The web console in Chromium, against a system of its own: what goes over the wire, how soon a list of many runs is there and how it scrolls, how soon a
run of many events opens.

  --runs <n>       in the list (100000)
  --events <n>     of the run: passes of a for_each, each with a call (10000)
  --times <n>      each page is opened (5)
  --json <file>    writes the figures
  --help`;

/** Measures and prints what came of it. */
export async function measureConsole(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: "string", default: "100000" },
      events: { type: "string", default: "10000" },
      times: { type: "string", default: "5" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const [runs, events, times] = [Number(values.runs), Number(values.events), Number(values.times)];
  await ensureConsole();
  const sizes = sizesOf(path.join(repositoryRoot, "console/dist"));
  await using folder = await openFolder();
  progress(`${runs} runs for the list`);
  await fillIndex(folder.index, runs);
  progress(`a run of ${events} events`);
  const flags = ["--index", folder.index, "--archive", "90d", "--snapshot-events", "1000000"];
  await using stack = await startLongStack(1, undefined, flags);
  const [front] = stack.orchestrators;
  if (front === undefined) throw new Error("no orchestrator");
  await front.call(
    "bench.v1.Long/Each",
    encodeCounts(Array.from({ length: events }, (_, at) => at + 1)),
    "many events",
  );
  const url = `http://${front.address}`;
  const runId = await runOf(url, "bench.v1.Long/Each");
  await using open = await startBrowser();
  const page = await open.browser.newPage({ viewport: { width: 1440, height: 900 }, bypassCSP: true });
  const at = (place: string): string => `${url}/console/${place}`;
  const row = ".vrow .chip";
  const opened: Record<string, readonly number[]> = {};
  for (const [what, place, sign] of [
    ["list, first time", "runs", row],
    ["list", "runs", row],
    ["list of a state", `runs?q=${encodeURIComponent("state == COMPENSATED")}`, row],
    ["run: graph", `runs/${runId}`, ".graph .node"],
    ["run: timeline", `runs/${runId}?view=timeline`, ".timeline .vrow"],
    ["run: history", `runs/${runId}?view=history`, ".history .vrow"],
    ["run: a step", `runs/${runId}?step=counted`, ".panel .pairs"],
  ] as const) {
    progress(`  ${what}`);
    const millis: number[] = [];
    for (let time = 0; time < (what.endsWith("first time") ? 1 : times); time++)
      millis.push(await untilDrawn(page, at(place), sign));
    opened[what] = millis;
  }
  progress("  scrolling");
  await untilDrawn(page, at("runs"), row);
  const frames = await scroll(page);
  const endMs = await jumpToEnd(page);
  console.log(await heading("plain"));
  console.log(
    textTable([
      ["over the wire, kB (gzip)", "", "at most"],
      ["  entry", sizes.entry.toFixed(1), "120"],
      ["  graph, besides", sizes.graph.toFixed(1), "90"],
      [`from the address to what is looked for, ms (${runs} runs, ${events} events)`, "median", "most"],
      ...Object.entries(opened).map(([what, millis]) => [
        `  ${what}`,
        median(millis).toFixed(0),
        Math.max(...millis).toFixed(0),
      ]),
      ["scrolling, ms between frames", "p50 / p95", "most"],
      [
        "  400 px a frame",
        `${median(frames).toFixed(0)} / ${quantile(frames, 0.95).toFixed(0)}`,
        Math.max(...frames).toFixed(0),
      ],
      ["  the last row after a jump to the end", endMs.toFixed(0), ""],
    ]),
  );
  if (values.json !== undefined)
    await writeFile(values.json, `${JSON.stringify({ sizes, opened, frames, endMs }, undefined, 2)}\n`);
}

async function openFolder(): Promise<AsyncDisposable & { readonly index: string }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-bench-console-"));
  return {
    index: path.join(folder, "index.db"),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Runs of before, as an archive has them. */
async function fillIndex(file: string, runs: number): Promise<void> {
  await using store = await openRunStore({ kind: "sqlite", file });
  const first = makeRow(0);
  const agoMs = Date.now() - first.startedMs - runs * 1000;
  const inFlight = new Set<Promise<void>>();
  for (let number = 0; number < runs; number++) {
    const row = makeRow(number);
    const hasFailed = number % 40 === 0;
    const archived = store.archive({
      row: {
        ...row,
        workflow: `shop.v1.Orders/W${number % 20}`,
        state: hasFailed ? Run_State.COMPENSATED : Run_State.COMPLETED,
        startedMs: row.startedMs + agoMs,
        endedMs: row.startedMs + agoMs + 5_000,
        error: hasFailed ? { code: 14, message: "the bank does not answer", step: "pay" } : undefined,
        attributes: { customer: JSON.stringify(`c-${number % 10_000}`) },
      },
      history: new Uint8Array(),
    });
    inFlight.add(archived);
    if (inFlight.size >= 1_000) {
      await Promise.all(inFlight);
      inFlight.clear();
    }
  }
  await Promise.all(inFlight);
}

async function runOf(url: string, workflow: string): Promise<string> {
  for (;;) {
    const response = await fetch(`${url}/sidestep.v1.Runs/List`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ filter: `workflow == ${JSON.stringify(workflow)} && state == COMPLETED` }),
    });
    const { runs } = (await response.json()) as {
      readonly runs?: readonly { readonly run: { readonly runId: string } }[];
    };
    const [first] = runs ?? [];
    if (first !== undefined) return first.run.runId;
  }
}

/** From the address to the first frame with what is looked for, by the page's own clock. */
async function untilDrawn(page: Page, url: string, sign: string): Promise<number> {
  await page.goto(url, { waitUntil: "commit" });
  return when(page, `document.querySelector(${JSON.stringify(sign)}) !== null`);
}

/** The page's clock at the first frame in which the condition, JavaScript of the page, holds. */
async function when(page: Page, condition: string): Promise<number> {
  const found = await page.waitForFunction(`(${condition}) && performance.now()`, undefined, {
    polling: "raf",
    timeout: 60_000,
  });
  return Number(await found.jsonValue());
}

const scrolledFrames = 180;

/** Milliseconds between frames while the list is scrolled fast, and loaded as it comes into view. */
async function scroll(page: Page): Promise<readonly number[]> {
  const millis: unknown = await page.evaluate(`(async () => {
    const list = document.querySelector(".vlist");
    const millis = [];
    let last = performance.now();
    for (let frame = 0; frame < ${scrolledFrames}; frame++) {
      list.scrollBy(0, 400);
      const now = await new Promise(requestAnimationFrame);
      millis.push(now - last);
      last = now;
    }
    return millis.slice(1);
  })()`);
  return Array.isArray(millis) ? millis.map(Number) : [];
}

/** From a jump to the end until its rows are there. */
async function jumpToEnd(page: Page): Promise<number> {
  const from: unknown = await page.evaluate(`document.querySelector(".vlist").scrollTo(0, 1e9), performance.now()`);
  const isThere = `(list => {
    const rows = [...list.querySelectorAll(".vrow")];
    const isLast = rows.at(-1)?.getAttribute("aria-rowindex") === list.getAttribute("aria-rowcount");
    return isLast && list.querySelector(".vrow .skeleton") === null;
  })(document.querySelector(".vlist"))`;
  return (await when(page, isThere)) - Number(from);
}
