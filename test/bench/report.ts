import { median } from "./accounting.ts";
import { machineText } from "./machine.ts";
import type { Machine } from "./machine.ts";
import { textTable } from "./textTable.ts";
import type { IdleFigures, RoundFigures, SideName } from "./rounds.ts";

/** What `--json` writes. */
export interface Report {
  readonly machine: Machine;
  readonly conditions: Conditions;
  readonly sides: readonly SideReport[];
}

/** What was chosen for it. */
export interface Conditions {
  readonly service: string;
  /** Of nats-server's store. */
  readonly syncInterval: string;
  /** What the sidecars make their calls with. */
  readonly grpcClient: string;
  /** nats-servers. */
  readonly servers: number;
  /** Of each stream. */
  readonly replicas: number;
  readonly rounds: number;
  readonly secondsEach: number;
}

interface SideReport {
  readonly name: SideName;
  readonly idleRunMs: Spread | undefined;
  readonly idleStepMs: Spread | undefined;
  readonly load: readonly LoadReport[];
  readonly rssMiB: Readonly<Record<string, number>>;
}

interface LoadReport {
  readonly runs: number;
  readonly stepsPerSecond: Spread;
  /** Medians. */
  readonly cpuMicrosPerStep: Readonly<Record<string, number>>;
}

/** Of all rounds. */
interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

/** What was measured of one side, round by round. */
export interface Measured {
  readonly name: SideName;
  readonly rounds: readonly RoundFigures[];
  /** Resident memory in the end. */
  readonly rssMiB: Readonly<Record<string, number>>;
}

const processes = ["orchestrator", "sidecar", "natsServer", "service", "driver"] as const;
/** Without the service and the caller: what the product itself costs. */
const own: readonly string[] = ["orchestrator", "sidecar", "natsServer"];

/** Medians and ranges over the rounds. */
export function toReport(machine: Machine, conditions: Conditions, measured: readonly Measured[]): Report {
  return { machine, conditions, sides: measured.map(toSideReport) };
}

function toSideReport({ name, rounds, rssMiB }: Measured): SideReport {
  const idle = rounds.flatMap((it) => it.idle ?? []);
  const spreadOf = (read: (of: IdleFigures) => number): Spread | undefined =>
    idle.length === 0 ? undefined : toSpread(idle.map(read), round3);
  return {
    name,
    idleRunMs: spreadOf((it) => it.runMs),
    idleStepMs: spreadOf((it) => it.stepMs),
    load: (rounds[0]?.load ?? []).map(({ runs }, index) => {
      const loads = rounds.flatMap((it) => it.load[index] ?? []);
      return {
        runs,
        stepsPerSecond: toSpread(
          loads.map((it) => it.stepsPerSecond),
          Math.round,
        ),
        cpuMicrosPerStep: Object.fromEntries(
          processes.map((process) => [process, median(loads.map((it) => it.cpuMicrosPerStep[process] ?? 0))]),
        ),
      };
    }),
    rssMiB,
  };
}

/** The table that people read. */
export function toTable({ machine, conditions, sides }: Report): string {
  const product = sides.find((it) => it.name === "product");
  const others = sides.filter((it) => it !== product);
  const columns = product === undefined ? others : [product, ...others];
  const row = (
    name: string,
    read: (side: SideReport) => Spread | undefined,
    unit: string,
    inTime: boolean,
  ): readonly string[] => {
    const spreads = columns.map(read);
    const [first] = spreads;
    const ratios = spreads.slice(1).map((it) => {
      if (first === undefined || it === undefined) return "";
      return (inTime ? first.median / it.median : it.median / first.median).toFixed(2);
    });
    return [name, ...spreads.map((it) => (it === undefined ? "" : inWords(it, unit))), ...ratios];
  };
  const runs = product?.load.map((it) => it.runs) ?? [];
  const { service, grpcClient, servers, syncInterval, replicas, rounds, secondsEach } = conditions;
  return [
    machineText(machine),
    `Service: ${service}; called with ${grpcClient === "own" ? "our own client" : grpcClient}. nats-servers: ${servers}, sync_interval: ${syncInterval}; copies of each stream: ${replicas}. All of it and the caller share this machine.`,
    `Medians of ${rounds} rounds (least to most), ${secondsEach} s for each load; chains of 10 calls with 128 bytes, traces sampled at 1 %.`,
    "",
    textTable([
      ["", ...columns.map((it) => it.name), ...columns.slice(1).map((it) => `time / ${it.name}`)],
      ...(product?.idleStepMs === undefined
        ? []
        : [
            row("idle run of one step, p50", (it) => it.idleRunMs, " ms", true),
            row("idle step, p50", (it) => it.idleStepMs, " ms", true),
          ]),
      ...runs.map((count, index) => row(`steps/s at ${count} runs`, (it) => it.load[index]?.stepsPerSecond, "", false)),
    ]),
    "",
    ...(runs.length === 0 ? [] : [cpuTable(columns, runs), ""]),
    memoryTable(columns),
  ].join("\n");
}

function memoryTable(sides: readonly SideReport[]): string {
  const row = ({ name, rssMiB }: SideReport): readonly string[] => {
    const cells = processes.map((process) => String(rssMiB[process] ?? ""));
    return [name, ...cells];
  };
  return textTable([["resident memory, MiB", ...processes], ...sides.map(row)]);
}

function cpuTable(sides: readonly SideReport[], runs: readonly number[]): string {
  const row = (name: string, micros: Readonly<Record<string, number>>): readonly string[] => {
    const sum = (of: readonly string[]): string => String(of.reduce((all, process) => all + (micros[process] ?? 0), 0));
    return [name, ...processes.map((process) => String(micros[process] ?? 0)), sum(processes), sum(own)];
  };
  return textTable([
    ["CPU, µs a step", ...processes, "all", "without service and driver"],
    ...runs.flatMap((count, index) =>
      sides.map((it) => row(`${it.name}, ${count} runs`, it.load[index]?.cpuMicrosPerStep ?? {})),
    ),
  ]);
}

/** One side of one round in a line. */
export function inShort({ idle, load }: RoundFigures): string {
  const step = idle === undefined ? [] : [`idle run ${round3(idle.runMs)} ms, step ${round3(idle.stepMs)} ms`];
  const loads = load.map((it) => {
    const cpu = own.reduce((sum, process) => sum + (it.cpuMicrosPerStep[process] ?? 0), 0);
    return `${it.stepsPerSecond} steps/s at ${it.runs} runs (${cpu} µs a step)`;
  });
  return [...step, ...loads].join(", ");
}

function toSpread(values: readonly number[], round: (value: number) => number): Spread {
  return { median: round(median(values)), least: round(Math.min(...values)), most: round(Math.max(...values)) };
}

function inWords({ median: middle, least, most }: Spread, unit: string): string {
  return `${middle}${unit} (${least} to ${most})`;
}

function round3(value: number): number {
  return Math.round(value * 1000) / 1000;
}
