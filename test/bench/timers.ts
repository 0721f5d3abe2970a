import { writeFile } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { cpuNow, quantile } from "./accounting.ts";
import { inFlight } from "./caller.ts";
import type { Caller } from "./caller.ts";
import { pause, probeFor, spreadOf, startProbe } from "./probe.ts";
import type { Sample } from "./probe.ts";
import { heading, progress, startStack } from "./stack.ts";
import { logEnds, readEvents } from "./streams.ts";
import type { LogEnds } from "./streams.ts";
import { textTable } from "./textTable.ts";

const help = `npm run bench -- timers [options]

Starts runs that wait for points in time, all within one second, and reads from the log how late each timer fired and its run ended. Meanwhile other runs
go on, whose p99 is told beside its idle value.

  --timers <n>     (10000)
  --within <ms>    over which they are due, evenly (1000)
  --lead <s>       between the last start and the first that is due (35: by then the orchestrator has let go of all of them)
  --idle <s>       for which the idle value is measured (5)
  --json <file>    writes the figures
  --help`;

const lateMsMax = 60_000;
/** TimerFired and RunEnded. */
const messagesOfTimer = 2;
/** RunStarted, an outcome, RunEnded. */
const messagesOfOther = 3;
const sampleEveryMs = 50;

/** Measures timers that are due together and prints what came of it. */
export async function measureTimers(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      timers: { type: "string", default: "10000" },
      within: { type: "string", default: "1000" },
      lead: { type: "string", default: "35" },
      idle: { type: "string", default: "5" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const timers = Number(values.timers);
  const withinMs = Number(values.within);
  const head = await heading("plain");
  progress("starting nats-server, service and product, and warming them up");
  await using stack = await startStack();
  // So that the code of waits is warm, too, and to know how fast they start.
  const trials = Math.ceil(timers / 10);
  const trialMs = performance.now();
  await startUntil(stack.caller, trials, () => Date.now() + 1_500);
  const startMs = (performance.now() - trialMs) / trials;
  await pause(3_000);
  const idle = spreadOf(await probeFor(stack.caller, Number(values.idle)));
  progress(`idle: p50 ${idle.p50Ms} ms, p99 ${idle.p99Ms} ms; starting ${timers} runs`);
  const firstMs = Math.ceil(Date.now() + 1.5 * timers * startMs + Number(values.lead) * 1_000);
  await startUntil(stack.caller, timers, (index) => firstMs + (index * withinMs) / timers);
  const waitMs = firstMs - Date.now();
  if (waitMs < 1_500) throw new Error("the starts took longer than was foreseen: try again");
  progress(`waiting ${(waitMs / 1_000).toFixed(1)} s until they are due`);
  await pause(waitMs - 200);
  const ends = await logEnds(stack.nats.url);
  const epochMs = Date.now() - performance.now();
  const probe = startProbe(stack.caller);
  const cpu: CpuSample[] = [];
  const sampling = setInterval(() => cpu.push({ atMs: Date.now(), cpu: cpuNow(stack.pids) }), sampleEveryMs);
  const read = await untilAllEnded(stack.nats.url, timers, firstMs + withinMs, ends, () => probe.samples.length);
  await probe.stop();
  clearInterval(sampling);
  const busyUntilMs = Math.max(...read.ended);
  const firedUntilMs = Math.max(...read.fired);
  const between = (fromMs: number, untilMs: number): readonly Sample[] =>
    probe.samples.filter(({ atMs, tookMs }) => {
      const at = atMs + epochMs;
      return at + tookMs >= fromMs && at <= untilMs;
    });
  const meanwhile = between(firstMs, busyUntilMs);
  const busy = spreadOf(meanwhile);
  const firing = spreadOf(between(firstMs, firedUntilMs));
  const loading = spreadOf(between(firedUntilMs, busyUntilMs));
  const report: Report = {
    timers,
    withinMs,
    firedLateMs: latenessOf(read.late),
    allFiredMsAfterTheFirstWasDue: Math.round(firedUntilMs - firstMs),
    allEndedMsAfterTheFirstWasDue: Math.round(busyUntilMs - firstMs),
    cpuMicrosEach: cpuEach(cpu, firstMs, busyUntilMs, timers),
    othersMs: {
      idle,
      meanwhile: busy,
      whileTimersFire: firing,
      afterwards: loading,
      samples: meanwhile.length,
      p99Ratio: Number((busy.p99Ms / idle.p99Ms).toFixed(2)),
    },
  };
  console.log(head);
  print(report);
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
}

interface Report {
  readonly timers: number;
  readonly withinMs: number;
  readonly firedLateMs: ReturnType<typeof latenessOf>;
  readonly allFiredMsAfterTheFirstWasDue: number;
  readonly allEndedMsAfterTheFirstWasDue: number;
  readonly cpuMicrosEach: Readonly<Record<string, number>>;
  readonly othersMs: {
    readonly idle: Spread;
    readonly meanwhile: Spread;
    /** Until the last timer has fired: what nats-server has to do then. */
    readonly whileTimersFire: Spread;
    /** From then on until the last run has ended: what it takes to load and end them. */
    readonly afterwards: Spread;
    readonly samples: number;
    readonly p99Ratio: number;
  };
}

type Spread = ReturnType<typeof spreadOf>;

function print(report: Report): void {
  const { othersMs: others } = report;
  const { p50, p99, most } = report.firedLateMs;
  console.log(
    textTable([
      [`${report.timers} timers due within ${report.withinMs} ms`, "p50", "p99", "most"],
      ["fired after they were due, ms", `${p50}`, `${p99}`, `${most}`],
      ["other runs of one call, idle, ms", `${others.idle.p50Ms}`, `${others.idle.p99Ms}`, ""],
      ["other runs of one call, meanwhile, ms", `${others.meanwhile.p50Ms}`, `${others.meanwhile.p99Ms}`, ""],
      ["  until the last has fired", `${others.whileTimersFire.p50Ms}`, `${others.whileTimersFire.p99Ms}`, ""],
      ["  afterwards, until the last run has ended", `${others.afterwards.p50Ms}`, `${others.afterwards.p99Ms}`, ""],
    ]),
  );
  console.log(
    `\nAfter the first was due, the last had fired ${report.allFiredMsAfterTheFirstWasDue} ms later, and the last run had ended after ${report.allEndedMsAfterTheFirstWasDue} ms. ` +
      `p99 of others: ${others.p99Ratio} times its idle value, over ${others.samples} runs. ` +
      `CPU from the first to the last, µs a timer: ${Object.entries(report.cpuMicrosEach)
        .map(([name, micros]) => `${name} ${micros}`)
        .join(", ")}.`,
  );
}

interface CpuSample {
  readonly atMs: number;
  readonly cpu: Readonly<Record<string, number>>;
}

/** What each program took meanwhile, the other runs included, over the timers. */
function cpuEach(
  samples: readonly CpuSample[],
  fromMs: number,
  untilMs: number,
  timers: number,
): Readonly<Record<string, number>> {
  const before = samples.findLast(({ atMs }) => atMs <= fromMs)?.cpu ?? {};
  const after = samples.find(({ atMs }) => atMs >= untilMs)?.cpu ?? {};
  return Object.fromEntries(
    Object.entries(after).map(([name, micros]) => [name, Math.round((micros - (before[name] ?? 0)) / timers)]),
  );
}

interface ReadBack {
  /** How late each timer fired. */
  readonly late: readonly number[];
  /** When, by the log's clock. */
  readonly fired: readonly number[];
  readonly ended: readonly number[];
}

/**
 * Reads the logs once all those runs should have ended there, by the number of their messages: to read and decode them is work for nats-server and for
 * this process, which times the other runs, so it is not done while these are timed for what else they meet.
 */
async function untilAllEnded(
  url: string,
  timers: number,
  lastMs: number,
  after: LogEnds,
  others: () => number,
): Promise<ReadBack> {
  const giveUpMs = lastMs + lateMsMax;
  await pause(lastMs - Date.now());
  for (;;) {
    await pause(500);
    const isLate = Date.now() > giveUpMs;
    const more = sumOf(await logEnds(url)) - sumOf(after);
    if (!isLate && more < timers * messagesOfTimer + others() * messagesOfOther) continue;
    const late = new Map<string, number>();
    const fired: number[] = [];
    const ended: number[] = [];
    const take: Parameters<typeof readEvents>[1] = ({ kind }, storedMs, runId) => {
      if (kind?.$case === "timerFired" && kind.value.dueMs <= lastMs) {
        late.set(runId, storedMs - kind.value.dueMs);
        fired.push(storedMs);
      } else if (kind?.$case === "runEnded" && late.has(runId)) ended.push(storedMs);
    };
    await readEvents(url, take, after);
    if (ended.length >= timers) return { late: [...late.values()], fired, ended };
    if (isLate) throw new Error(`${fired.length} of ${timers} timers have fired, ${ended.length} runs ended`);
  }
}

function sumOf(ends: LogEnds): number {
  let sum = 0;
  for (const end of ends.values()) sum += end;
  return sum;
}

/** Starts runs that wait, each until its point in time; a number of milliseconds since 1970. */
async function startUntil(caller: Caller, count: number, dueMs: (index: number) => number): Promise<void> {
  await inFlight(count, 64, async (index) => {
    const due = Math.ceil(dueMs(index));
    const seconds = Math.floor(due / 1_000);
    const request = new BinaryWriter().tag(1, WireType.LengthDelimited).fork();
    request.tag(1, WireType.Varint).int64(seconds);
    request.tag(2, WireType.Varint).int32((due - seconds * 1_000) * 1_000_000);
    await caller.start("bench.v1.Waiting/Until", request.join().finish());
  });
}

function latenessOf(late: readonly number[]) {
  return { p50: quantile(late, 0.5), p99: quantile(late, 0.99), most: Math.max(...late) };
}
