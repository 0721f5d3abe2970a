import { fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import path from "node:path";
import { cpuNow, cpuPerUnit, median } from "./accounting.ts";
import type { Pids } from "./accounting.ts";
import type { DriverReply, DriverRequest } from "./driverMessages.ts";
import type { FloorKind } from "./floor/bus.ts";
import type { Inspector } from "./profile/inspector.ts";
import type { Profiles } from "./profile/profiles.ts";

/** The product, and the least that a program of its shape can cost. */
export type SideName = "product" | FloorKind;

/** One of the systems that are measured beside each other. */
export interface Side {
  readonly name: SideName;
  /** Where it serves bench.v1.Chain. */
  readonly address: string;
  /** Its programs, and those that it shares, by the names of the report. */
  readonly pids: Pids;
  /** Of its Node programs that are ours, when profiles are wanted. */
  readonly inspectors: Readonly<Record<string, Inspector>>;
}

export interface LoadFigures {
  readonly runs: number;
  readonly stepsPerSecond: number;
  readonly cpuMicrosPerStep: Readonly<Record<string, number>>;
}

/** One run at a time. */
export interface IdleFigures {
  /** p50 of a run of one step, from its start to its answer. */
  readonly runMs: number;
  /** Of one more step: (p50 of ten steps - p50 of one step) / 9. */
  readonly stepMs: number;
}

export interface RoundFigures {
  /** Undefined where it was not measured. */
  readonly idle: IdleFigures | undefined;
  readonly load: readonly LoadFigures[];
}

export interface RoundSettings {
  /** 0: idle latency is not measured. */
  readonly latencyRuns: number;
  readonly loads: readonly number[];
  readonly warmMs: number;
  readonly windowMs: number;
  readonly profiles: Profiles | undefined;
}

/** The driver in its own process; leaving the scope ends it. */
export interface Driver extends AsyncDisposable {
  readonly pid: number;
  ask(request: DriverRequest, on?: (reply: DriverReply) => void): Promise<DriverReply>;
}

export async function startDriver(): Promise<Driver> {
  const child = fork(path.join(import.meta.dirname, "driver.ts"), { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  await nextReply(child, (reply) => reply.kind === "ready");
  return {
    pid: child.pid ?? -1,
    ask: async (request, on) => {
      child.send(request);
      const reply = await nextReply(child, (it) => it.kind === request.kind || it.kind === "failed", on);
      if (reply.kind === "failed") throw new Error(reply.message);
      return reply;
    },
    [Symbol.asyncDispose]: async () => {
      child.disconnect();
    },
  };
}

const warmUpRuns = 64;

/** Loads a side without counting: JavaScript comes up to its speed over the first ten thousand steps or so. Answers how many runs ended. */
export async function warmUp(driver: Driver, side: Pick<Side, "address">, seconds: number): Promise<number> {
  const reply = await driver.ask({
    kind: "load",
    addresses: [side.address],
    method: "/bench.v1.Chain/Ten",
    runs: warmUpRuns,
    warmMs: 0,
    windowMs: seconds * 1000,
  });
  return reply.kind === "load" ? reply.done : 0;
}

/** One round of one side: idle latency, then each load. */
export async function measureRound(driver: Driver, side: Side, settings: RoundSettings): Promise<RoundFigures> {
  const idle = settings.latencyRuns === 0 ? undefined : await measureIdle(driver, side, settings);
  const load: LoadFigures[] = [];
  for (const runs of settings.loads) load.push(await measureLoad(driver, side, runs, settings));
  return { idle, load };
}

async function measureIdle(driver: Driver, side: Side, { latencyRuns, profiles }: RoundSettings): Promise<IdleFigures> {
  const one = await p50(driver, side.address, "/bench.v1.Chain/One", latencyRuns);
  const end = await profiles?.begin(`${side.name}-idle`, side.inspectors);
  const ten = await p50(driver, side.address, "/bench.v1.Chain/Ten", latencyRuns);
  await end?.();
  return { runMs: one, stepMs: (ten - one) / 9 };
}

async function p50(driver: Driver, address: string, method: string, count: number): Promise<number> {
  await driver.ask({ kind: "latency", address, method, count: Math.ceil(count / 4) });
  const reply = await driver.ask({ kind: "latency", address, method, count });
  return reply.kind === "latency" ? median(reply.millis) : Number.NaN;
}

async function measureLoad(driver: Driver, side: Side, runs: number, settings: RoundSettings): Promise<LoadFigures> {
  const pids = { ...side.pids, driver: driver.pid };
  let before: Record<string, number> = {};
  let after: Record<string, number> = {};
  let profiled: Promise<void> | undefined;
  const begun = Promise.withResolvers<(() => Promise<void>) | undefined>();
  const request = {
    kind: "load",
    addresses: [side.address],
    method: "/bench.v1.Chain/Ten",
    runs,
    warmMs: settings.warmMs,
    windowMs: settings.windowMs,
  } as const;
  const reply = await driver.ask(request, (it) => {
    if (it.kind === "counting") {
      before = cpuNow(pids);
      begun.resolve(settings.profiles?.begin(`${side.name}-${runs}`, side.inspectors));
    }
    if (it.kind === "counted") {
      after = cpuNow(pids);
      profiled = begun.promise.then((end) => end?.());
    }
  });
  await profiled;
  if (reply.kind !== "load") throw new Error("the driver gave no figures");
  if (reply.errors > 0) throw new Error(`${side.name}: ${reply.errors} runs failed, last: ${reply.lastError}`);
  const steps = reply.done * 10;
  return {
    runs,
    stepsPerSecond: Math.round(steps / reply.seconds),
    cpuMicrosPerStep: cpuPerUnit(before, after, steps),
  };
}

function nextReply(
  child: ChildProcess,
  wanted: (reply: DriverReply) => boolean,
  on?: (reply: DriverReply) => void,
): Promise<DriverReply> {
  return new Promise((resolve, reject) => {
    const take = (reply: DriverReply): void => {
      on?.(reply);
      if (!wanted(reply)) return;
      child.off("message", take);
      child.off("exit", gone);
      resolve(reply);
    };
    const gone = (): void => reject(new Error("the driver ended"));
    child.on("message", take);
    child.once("exit", gone);
  });
}
