import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { parseFilter } from "../../orchestrator/src/compile/filter/parseFilter.ts";
import type { RunFilter } from "../../orchestrator/src/compile/filter/runFilter.ts";
import type { RunRow } from "../../orchestrator/src/projection/runRow.ts";
import { openRunStore } from "../../orchestrator/src/sql/store.ts";
import type { StorePlace } from "../../orchestrator/src/sql/store.ts";
import { makeRow } from "../../orchestrator/src/sql/testing.ts";
import { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import { startPostgres } from "../support/postgres.ts";
import { median, quantile, residentMiB } from "./accounting.ts";
import { measure, tenSteps } from "./flat.ts";
import type { Figures } from "./flat.ts";
import { pause } from "./probe.ts";
import { scrape } from "./scrape.ts";
import { heading, progress, startStack } from "./stack.ts";
import { textTable } from "./textTable.ts";

const help = `npm run bench -- index [options]

The index of runs: how many rows a second each database takes, how long lists take with many runs in it, how far it is behind at full load, and what it
costs the engine: steps/s and CPU a step with it and with --index off, each on a nats-server of its own, round by round in turn.

  --only <list>       of tables, engine (both)
  --on <list>         of temporary, file, postgres (all)
  --runs <n>          in the tables (500000)
  --rounds <n>        of the engine (3)
  --seconds <s>       for each load (5)
  --json <file>       writes the figures
  --help`;

/** Measures and prints what came of it. */
export async function measureListing(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string", default: "tables,engine" },
      on: { type: "string", default: "temporary,file,postgres" },
      runs: { type: "string", default: "500000" },
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "5" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const only = values.only.split(",");
  const tables: TableFigures[] = [];
  for (const name of only.includes("tables") ? values.on.split(",") : [])
    tables.push(await measureTables(name, Number(values.runs)));
  const engine = only.includes("engine")
    ? await measureEngineCost(Number(values.rounds), Number(values.seconds))
    : undefined;
  console.log(await heading("plain"));
  if (tables.length > 0) showTables(tables, Number(values.runs));
  if (engine !== undefined) showEngine(engine);
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify({ tables, engine }, undefined, 2)}\n`);
}

interface TableFigures {
  readonly name: string;
  readonly newRowsPerSecond: number;
  readonly changedRowsPerSecond: number;
  /** Milliseconds, of each list. */
  readonly lists: Readonly<Record<string, { readonly p50: number; readonly p99: number }>>;
  /** This process with SQLite in it; PostgreSQL's own memory is not in it. */
  readonly residentMiB: number;
}

const batch = 500;
const workflows = 20;
const listTimes = 200;

/** What an operator asks: each for the newest 50 but where it says otherwise. */
const lists: Readonly<Record<string, string>> = {
  newest: "",
  "of a state that is rare": "state == FAILED",
  "of a workflow": 'workflow == "shop.v1.Orders/W7"',
  "of a workflow and a state": 'workflow == "shop.v1.Orders/W7" && state == FAILED',
  "of an attribute": 'attributes.customer == "c-4711"',
  "of a code in an hour": 'code == UNAVAILABLE && started > timestamp("2026-01-02T00:00:00Z")',
  "of a key": 'key == "o-4711"',
};

async function measureTables(name: string, runs: number): Promise<TableFigures> {
  progress(`${name}: ${runs} runs`);
  await using opened = await openPlace(name);
  await using store = await openRunStore(opened.place);
  const { epoch } = await store.cursor(0, { created: "", lastSequence: runs * 2 });
  const write = async (count: number, make: (number: number) => RunRow): Promise<number> => {
    const startedMs = performance.now();
    for (let first = 0; first < count; first += batch) {
      const rows = Array.from({ length: Math.min(batch, count - first) }, (_, at) => make(first + at));
      await store.write({ partition: 0, epoch, upTo: first, rows });
    }
    return Math.round(count / ((performance.now() - startedMs) / 1000));
  };
  const newRowsPerSecond = await write(runs, (number) => listedRow(number, false));
  const changed = Math.min(runs, 50_000);
  const changedRowsPerSecond = await write(changed, (number) => listedRow(runs - changed + number, true));
  const figures: Record<string, { readonly p50: number; readonly p99: number }> = {};
  for (const [what, source] of Object.entries(lists)) {
    const filter = filterOf(source);
    const [last] = await store.list({ filter, after: undefined, limit: 50 });
    if (last === undefined) throw new Error(`nothing is found ${what}`);
    figures[what] = await timed(() => store.list({ filter, after: undefined, limit: 50 }));
  }
  figures["a page in the middle"] = await timed(() =>
    store.list({ filter: filterOf(""), after: middle(runs), limit: 50 }),
  );
  figures["counts"] = await timed(() => store.count(filterOf("")));
  return { name, newRowsPerSecond, changedRowsPerSecond, lists: figures, residentMiB: residentMiB(process.pid) };
}

function middle(runs: number): { readonly startedMs: number; readonly id: string } {
  const { startedMs, id } = listedRow(Math.floor(runs / 2), false);
  return { startedMs, id };
}

async function timed(work: () => Promise<unknown>): Promise<{ readonly p50: number; readonly p99: number }> {
  const millis: number[] = [];
  for (let time = 0; time < listTimes; time++) {
    const startedMs = performance.now();
    await work();
    millis.push(performance.now() - startedMs);
  }
  return { p50: median(millis), p99: quantile(millis, 0.99) };
}

/** Every 499th run fails, in the end. */
function listedRow(number: number, isEnded: boolean): RunRow {
  const row = makeRow(number);
  const hasFailed = number % 499 === 0;
  return {
    ...row,
    sequence: number + (isEnded ? 1_000_000_000 : 0),
    workflow: `shop.v1.Orders/W${number % workflows}`,
    state: isEnded && !hasFailed ? Run_State.COMPLETED : hasFailed ? Run_State.FAILED : Run_State.RUNNING,
    endedMs: isEnded ? row.startedMs + 5_000 : undefined,
    error: hasFailed ? { code: 14, message: "the bank does not answer", step: "pay" } : undefined,
    attributes: { customer: JSON.stringify(`c-${number % 10_000}`), total: String(number % 1_000) },
    numbers: { total: number % 1_000 },
  };
}

function filterOf(source: string): RunFilter {
  const parsed = parseFilter(source, Date.now());
  if (parsed.kind === "wrong") throw new Error(parsed.message);
  return parsed.filter;
}

async function openPlace(name: string): Promise<AsyncDisposable & { readonly place: StorePlace }> {
  if (name === "postgres") {
    const postgres = await startPostgres();
    return {
      place: { kind: "postgres", url: postgres.url },
      [Symbol.asyncDispose]: async () => postgres[Symbol.asyncDispose](),
    };
  }
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-bench-index-"));
  return {
    place: { kind: "sqlite", file: name === "file" ? path.join(folder, "index.db") : "" },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

interface EngineFigures {
  readonly withIndex: readonly Figures[];
  readonly without: readonly Figures[];
  /** Seconds, the most of each round. */
  readonly lags: readonly number[];
  readonly residentMiB: { readonly withIndex: number; readonly without: number };
}

async function measureEngineCost(rounds: number, seconds: number): Promise<EngineFigures> {
  progress("starting a system with the index and one without");
  await using indexed = await startStack();
  await using plain = await startStack({ orchestratorArgs: ["--index", "off"] });
  const settings = { rounds, seconds, latencyRuns: 50 };
  const [withIndex, without, lags]: [Figures[], Figures[], number[]] = [[], [], []];
  for (let round = 1; round <= rounds; round++) {
    const watched = watchLag(indexed.orchestrator.adminPort);
    withIndex.push(await measure(indexed, tenSteps, settings));
    lags.push(await watched.most());
    without.push(await measure(plain, tenSteps, settings));
    progress(`  round ${round}: ${JSON.stringify([withIndex.at(-1), without.at(-1), lags.at(-1)])}`);
  }
  const resident = { withIndex: residentMiB(indexed.pids.orchestrator), without: residentMiB(plain.pids.orchestrator) };
  return { withIndex, without, lags, residentMiB: resident };
}

/** Looks at the lag four times a second. */
function watchLag(adminPort: number): { most(): Promise<number> } {
  let isOver = false;
  let most = 0;
  const watched = (async () => {
    while (!isOver) {
      most = Math.max(most, (await scrape(adminPort))("sidestep_orchestrator_index_lag_seconds"));
      await pause(250);
    }
  })();
  return {
    most: async () => {
      isOver = true;
      await watched;
      return most;
    },
  };
}

function showTables(tables: readonly TableFigures[], runs: number): void {
  console.log(
    textTable([
      [`${runs} runs`, ...tables.map(({ name }) => name)],
      ["new rows/s", ...tables.map(({ newRowsPerSecond }) => String(newRowsPerSecond))],
      ["changed rows/s", ...tables.map(({ changedRowsPerSecond }) => String(changedRowsPerSecond))],
      ...[...Object.keys(lists), "a page in the middle", "counts"].map((what) =>
        [`${what}, ms p50 / p99`].concat(
          tables.map(({ lists: of }) => `${(of[what]?.p50 ?? 0).toFixed(2)} / ${(of[what]?.p99 ?? 0).toFixed(2)}`),
        ),
      ),
      ["memory of the process, MiB", ...tables.map((one) => String(one.residentMiB))],
    ]),
  );
  console.log(`\nRows in batches of ${batch}, each a transaction with its counts and its cursor. Lists of 50 runs.\n`);
}

function showEngine({ withIndex, without, lags, residentMiB: resident }: EngineFigures): void {
  const ofEach = (read: (figures: Figures) => number): readonly string[] => {
    const [with_, off] = [median(withIndex.map(read)), median(without.map(read))];
    return [with_.toFixed(0), off.toFixed(0), (with_ / off).toFixed(3)];
  };
  console.log(
    textTable([
      ["runs of ten steps, 64 at a time", "with the index", "--index off", "ratio"],
      ["steps/s", ...ofEach((it) => it.stepsPerSecond)],
      ["CPU a step, µs", ...ofEach((it) => it.cpuMicros)],
      ["orchestrator, MiB", String(resident.withIndex), String(resident.without), ""],
      ["lag at full load, s", quantile(lags, 1).toFixed(2), "", ""],
    ]),
  );
  console.log("\nMedians; the lag is the most that was seen. CPU of orchestrator, sidecar and nats-server together.");
}
