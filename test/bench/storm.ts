import { parseArgs } from "node:util";
import { pause } from "../../runtime/src/pause.ts";
import { startNats } from "../support/nats.ts";
import { makeCall, makePlan, openOrchestrator, service } from "../support/orchestrators.ts";
import { sidecarReady } from "../support/orderStack.ts";
import { startNode } from "../support/program.ts";
import { openSeenService } from "../support/seenService.ts";
import type { SeenCall } from "../support/seenService.ts";

const help = `npm run bench -- storm [options]

A service is UNAVAILABLE for a while, and so many runs call it with the built-in retries: how many calls reach it, second by second,
and whether all runs end without an operator, once with the breaker and once without.

  --runs <n>        runs, started at once (1000)
  --down <s>        seconds that the service is away (60)
  --share <percent> calls that fail meanwhile (100)
  --sidecars <n>    (2)
  --breaker <list>  values of --breaker-percent to compare (50,0)
  --help`;

/** The built-in policy. */
const retry = { attemptsMax: 8, backoffMs: 500, backoffMaxMs: 60_000, multiplier: 2, on: [] };
/** After the service is back runs have so long to end. */
const recoverMs = 90_000;

/** Measures a service that is away under many runs, with the breaker and without. */
export async function measureStorm(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      runs: { type: "string", default: "1000" },
      down: { type: "string", default: "60" },
      share: { type: "string", default: "100" },
      sidecars: { type: "string", default: "2" },
      breaker: { type: "string", default: "50,0" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  for (const percent of values.breaker.split(","))
    await measureOne({
      runs: Number(values.runs),
      downMs: Number(values.down) * 1_000,
      share: Number(values.share) / 100,
      sidecars: Number(values.sidecars),
      percent,
    });
}

async function measureOne(about: {
  readonly runs: number;
  readonly downMs: number;
  readonly share: number;
  readonly sidecars: number;
  readonly percent: string;
}): Promise<void> {
  const plan = makePlan([makeCall("a", { retry })]);
  await using programs = new AsyncDisposableStack();
  const nats = programs.use(await startNats());
  const seen = programs.use(await openSeenService(service, ["Do"]));
  const orchestrator = programs.use(await openOrchestrator(nats.url, plan));
  for (let index = 0; index < about.sidecars; index++) {
    programs.use(
      await startNode("sidecar/src/main.ts", {
        name: "sidecar",
        args: ["--service", seen.address, "--expose", service, "--admin-port", "0", "--breaker-percent", about.percent],
        env: { NATS_URL: nats.url, NODE_OPTIONS: undefined },
        readyLine: sidecarReady,
      }),
    );
  }
  const startMs = performance.now();
  const isDown = (): boolean => performance.now() - startMs < about.downMs;
  seen.answer = () => ({ code: isDown() && Math.random() < about.share ? 14 : 0, afterMs: 2 });
  const ids = await Promise.all(Array.from({ length: about.runs }, () => orchestrator.begin(plan)));
  const ends: number[] = [];
  const states = new Map<number, number>();
  const over = new AbortController();
  const all = Promise.all(
    ids.map(async (id) => {
      const waited = await orchestrator.processor.front.wait(id, over.signal);
      if (waited.kind !== "ended") return;
      ends.push(performance.now() - startMs);
      states.set(waited.ended.state, (states.get(waited.ended.state) ?? 0) + 1);
    }),
  );
  await Promise.race([all, pause(about.downMs + recoverMs)]);
  over.abort();
  const perSecond: number[] = [];
  for (const { begunMs } of seen.calls) {
    const second = Math.floor((begunMs - startMs) / 1_000);
    perSecond[second] = (perSecond[second] ?? 0) + 1;
  }
  const downS = about.downMs / 1_000;
  const counts = Array.from({ length: Math.max(perSecond.length, downS) }, (_, second) => perSecond[second] ?? 0);
  const peak = Math.max(...counts.slice(0, downS));
  const later = counts.slice(10, downS);
  const jitter = [2, 3, 4].map((attempt) => jitterOf(seen.calls, attempt)).filter((text) => text !== "");
  const back = ends.filter((ms) => ms >= about.downMs).toSorted((a, b) => a - b);
  console.log(
    [
      `breaker-percent ${about.percent}, ${about.runs} runs, ${about.sidecars} sidecars, ${about.share * 100} % of the calls fail for ${downS} s`,
      `  calls a second: ${counts.slice(0, downS + 20).join(" ")}`,
      `  peak ${peak}; from 10 s on ${Math.max(...later)} at most (${((100 * Math.max(...later)) / peak).toFixed(1)} %), ${(later.reduce((sum, one) => sum + one, 0) / later.length).toFixed(1)} on average`,
      `  pauses before attempts, as shares of their back-off, at 5, 50 and 95 %: ${jitter.join("; ")}`,
      `  ended: ${[...states].map(([state, count]) => `${count} in state ${state}`).join(", ")}; not ended: ${about.runs - ends.length}; calls in all: ${seen.calls.length}`,
      `  after the service was back: ${back.length} ended, half by ${at(back, 0.5, about.downMs)} s, 99 % by ${at(back, 0.99, about.downMs)} s, the last after ${at(back, 1, about.downMs)} s`,
    ].join("\n"),
  );
}

/** How the pauses before an attempt are spread: full jitter is 0.05, 0.5 and 0.95. Empty: too few were made. */
function jitterOf(calls: readonly SeenCall[], attempt: number): string {
  const before = new Map(calls.filter((one) => one.attempt === String(attempt - 1)).map((one) => [one.key, one]));
  const backoffMs = retry.backoffMs * retry.multiplier ** (attempt - 2);
  const shares = calls
    .filter((one) => one.attempt === String(attempt))
    .flatMap((one) => {
      const endedMs = before.get(one.key)?.endedMs;
      return endedMs === undefined ? [] : [(one.begunMs - endedMs) / backoffMs];
    })
    .toSorted((a, b) => a - b);
  if (shares.length < 20) return "";
  const share = (part: number): string => (shares[Math.floor(shares.length * part)] ?? 0).toFixed(2);
  return `attempt ${attempt} ${share(0.05)} ${share(0.5)} ${share(0.95)}`;
}

function at(sorted: readonly number[], share: number, fromMs: number): string {
  const found = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return found === undefined ? "-" : ((found - fromMs) / 1_000).toFixed(1);
}
