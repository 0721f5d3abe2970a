import { writeFile } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { quantile, residentMiB, watchResident } from "./accounting.ts";
import { pause, probeFor, spreadOf, startProbe } from "./probe.ts";
import type { Sample } from "./probe.ts";
import { scrape } from "./scrape.ts";
import { heading, progress, startStack } from "./stack.ts";
import { textTable } from "./textTable.ts";

const help = `npm run bench -- overload [options]

Starts many runs of ten calls at once. What they are answered, how much memory it takes meanwhile, how late the event loops come, and when the p99 of somebody
else's runs is back to twice its idle value.

  --burst <n>        runs (5000)
  --bursts <n>       one after the other, each once the last is answered (2)
  --after <s>        for which others are watched after the last answer (30)
  --backlog-max <n>  of the orchestrator, beyond which it refuses (its default)
  --idle <s>         for which the idle value is measured (5)
  --json <file>      writes the figures
  --help`;

/** Others' p99 is looked at over windows of this. */
const windowMs = 1_000;

/** Measures a burst of starts and prints what came of it. */
export async function measureOverload(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      burst: { type: "string", default: "5000" },
      bursts: { type: "string", default: "2" },
      after: { type: "string", default: "30" },
      "backlog-max": { type: "string" },
      idle: { type: "string", default: "5" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const count = Number(values.burst);
  const head = await heading("plain");
  progress("starting nats-server, service and product, and warming them up");
  await using stack = await startStack({
    warmUpSeconds: 10,
    orchestratorArgs: values["backlog-max"] === undefined ? [] : ["--backlog-max", values["backlog-max"]],
  });
  const { caller, driver, pids } = stack;
  const idle = spreadOf(await probeFor(caller, Number(values.idle)));
  progress(`idle: p50 ${idle.p50Ms} ms, p99 ${idle.p99Ms} ms`);
  const reports: unknown[] = [];
  const rows: (readonly string[])[] = [];
  for (let burst = 1; burst <= Number(values.bursts); burst++) {
    progress(`burst ${burst}: ${count} runs at once`);
    const lag = await lags(stack.orchestrator.adminPort, stack.sidecar.adminPort);
    const before = Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, residentMiB(pid)]));
    const stopWatching = watchResident(() => pids);
    const probe = startProbe(caller);
    await pause(windowMs);
    const startMs = performance.now();
    const reply = await driver.ask({
      kind: "burst",
      address: stack.side.address,
      method: "/bench.v1.Chain/Ten",
      count,
    });
    if (reply.kind !== "burst") throw new Error("the driver gave no figures");
    const answeredMs = performance.now();
    await untilCalm(probe.samples, answeredMs, 2 * idle.p99Ms, Number(values.after) * 1_000);
    await probe.stop();
    const backSeconds = calmFrom(probe.samples, answeredMs, 2 * idle.p99Ms);
    const most = stopWatching();
    const lateMs = await lag();
    const meanwhile = spreadOf(probe.samples.filter(({ atMs }) => atMs >= startMs && atMs < answeredMs));
    const done = reply.answers["OK"] ?? 0;
    reports.push({
      burst: count,
      answers: reply.answers,
      withRetryInfo: reply.withRetryInfo,
      seconds: reply.seconds,
      stepsPerSecond: Math.round((done * 10) / reply.seconds),
      okMs: { p50: quantile(reply.okMillis, 0.5), p99: quantile(reply.okMillis, 0.99) },
      residentMiB: { before, most },
      eventLoopLateMs: lateMs,
      othersMs: { idle, meanwhile },
      othersRefused: probe.refused(),
      othersBackAfterSeconds: backSeconds,
    });
    const refused = reply.answers["RESOURCE_EXHAUSTED"] ?? 0;
    rows.push(
      [`burst ${burst}: ${count} runs of 10 calls`, ""],
      [
        "answers",
        Object.entries(reply.answers)
          .map(([code, n]) => `${n} ${code}`)
          .join(", "),
      ],
      ["refused with RetryInfo", `${reply.withRetryInfo} of ${refused}`],
      ["all answered after", `${reply.seconds.toFixed(1)} s, ${Math.round((done * 10) / reply.seconds)} steps/s`],
      [
        "resident memory at the most, MiB",
        Object.entries(most)
          .map(([name, size]) => `${name} ${before[name]} → ${size}`)
          .join(", "),
      ],
      [
        "event loop late at the most, ms",
        Object.entries(lateMs)
          .map(([name, ms]) => `${name} ${ms}`)
          .join(", "),
      ],
      ["others' p99, idle and meanwhile, ms", `${idle.p99Ms}, ${meanwhile.p99Ms}; ${probe.refused()} refused`],
      [
        "others' p99 back to twice idle",
        backSeconds === undefined
          ? `not within ${values.after} s`
          : `${backSeconds.toFixed(1)} s after the last answer`,
      ],
    );
  }
  console.log(head);
  console.log(textTable(rows));
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(reports, undefined, 2)}\n`);
}

/** How late the event loops of both came at the most, between this and the call of what it answers. */
async function lags(orchestrator: number, sidecar: number) {
  const ask = async (port: number): Promise<number> =>
    Math.round((await scrape(port))("nodejs_eventloop_delay_max_seconds") * 1_000);
  await Promise.all([ask(orchestrator), ask(sidecar)]);
  return async () => ({ orchestrator: await ask(orchestrator), sidecar: await ask(sidecar) });
}

/** Watches on until three windows were calm one after the other, or it has taken too long. */
async function untilCalm(samples: readonly Sample[], fromMs: number, p99Max: number, mostMs: number): Promise<void> {
  while (performance.now() - fromMs < mostMs) {
    await pause(windowMs);
    const calm = calmFrom(samples, fromMs, p99Max);
    if (calm !== undefined && performance.now() - fromMs - calm * 1_000 > 3 * windowMs) return;
  }
}

/** Seconds after `fromMs` from which on every window's p99 is within the bound; undefined: the last one is not. */
function calmFrom(samples: readonly Sample[], fromMs: number, p99Max: number): number | undefined {
  const lastMs = (samples.at(-1)?.atMs ?? fromMs) - fromMs;
  let calm: number | undefined;
  for (let at = 0; at < lastMs; at += windowMs) {
    const inWindow = samples.filter(({ atMs }) => atMs - fromMs >= at && atMs - fromMs < at + windowMs);
    const isCalm = inWindow.length > 0 && spreadOf(inWindow).p99Ms <= p99Max;
    calm = isCalm ? (calm ?? at / 1_000) : undefined;
  }
  return calm;
}
