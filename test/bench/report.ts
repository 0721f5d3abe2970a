import { median } from "./accounting.ts";
import type { LoadFigures, RoundFigures } from "./rounds.ts";

/** What `--json` writes. */
export interface Report {
  readonly step: { readonly productMs: number; readonly floorMs: number };
  readonly load: readonly LoadReport[];
  readonly rssMiB: Readonly<Record<string, number>>;
}

interface LoadReport {
  readonly runs: number;
  readonly productStepsPerSecond: number;
  readonly floorStepsPerSecond: number;
  /** Of the product. */
  readonly cpuMicrosPerStep: Readonly<Record<"orchestrator" | "sidecar" | "natsServer", number>>;
  readonly otherCpuMicrosPerStep: Readonly<Record<"service" | "driver", number>>;
  /** Of the floor, by the same names: what the product is to be compared with. */
  readonly floorCpuMicrosPerStep: Readonly<Record<Process, number>>;
}

const processes = ["orchestrator", "sidecar", "natsServer", "service", "driver"] as const;
type Process = (typeof processes)[number];

/** Medians over the rounds. */
export function toReport(
  rounds: readonly { readonly product: RoundFigures; readonly floor: RoundFigures }[],
  rssMiB: Readonly<Record<string, number>>,
): Report {
  const loads = rounds[0]?.product.load ?? [];
  return {
    step: {
      productMs: round3(median(rounds.map((it) => it.product.stepMs))),
      floorMs: round3(median(rounds.map((it) => it.floor.stepMs))),
    },
    load: loads.map(({ runs }, index) => {
      const product = rounds.flatMap((it) => it.product.load[index] ?? []);
      const floor = rounds.flatMap((it) => it.floor.load[index] ?? []);
      const cpu = (name: Process, of = product): number => median(of.map((it) => it.cpuMicrosPerStep[name] ?? 0));
      return {
        runs,
        productStepsPerSecond: stepsOf(product),
        floorStepsPerSecond: stepsOf(floor),
        cpuMicrosPerStep: {
          orchestrator: cpu("orchestrator"),
          sidecar: cpu("sidecar"),
          natsServer: cpu("natsServer"),
        },
        otherCpuMicrosPerStep: { service: cpu("service"), driver: cpu("driver") },
        floorCpuMicrosPerStep: {
          orchestrator: cpu("orchestrator", floor),
          sidecar: cpu("sidecar", floor),
          natsServer: cpu("natsServer", floor),
          service: cpu("service", floor),
          driver: cpu("driver", floor),
        },
      };
    }),
    rssMiB,
  };
}

/** The table that people read. */
export function toTable(report: Report): string {
  const { step } = report;
  const lines = [
    "Service: Node, grpc-js. Driver, nats-server (default sync), orchestrator, sidecar and service share this machine.",
    "",
    pad(["", "product", "floor", "product / floor"]),
    pad(["idle step, p50", `${step.productMs} ms`, `${step.floorMs} ms`, ratio(step.productMs, step.floorMs)]),
    ...report.load.map((it) =>
      pad([
        `steps/s at ${it.runs} runs`,
        String(it.productStepsPerSecond),
        String(it.floorStepsPerSecond),
        `${ratio(it.floorStepsPerSecond, it.productStepsPerSecond)} in time`,
      ]),
    ),
    "",
    pad(["CPU, µs a step", ...processes, "all"]),
    ...report.load.flatMap((it) => [
      cpuRow(`product, ${it.runs} runs`, { ...it.cpuMicrosPerStep, ...it.otherCpuMicrosPerStep }),
      cpuRow(`floor, ${it.runs} runs`, it.floorCpuMicrosPerStep),
    ]),
    "",
    `Resident memory, MiB: ${Object.entries(report.rssMiB)
      .map(([name, size]) => `${name} ${size}`)
      .join(", ")}`,
  ];
  return lines.join("\n");
}

/** One side of one round in a line. */
export function inShort({ stepMs, load }: RoundFigures): string {
  const loads = load.map((it) => `${it.stepsPerSecond} steps/s at ${it.runs} runs`);
  return [`idle step ${round3(stepMs)} ms`, ...loads].join(", ");
}

function cpuRow(name: string, micros: Readonly<Record<Process, number>>): string {
  const all = processes.map((process) => micros[process]);
  return pad([name, ...all.map(String), String(all.reduce((sum, one) => sum + one, 0))]);
}

function stepsOf(loads: readonly LoadFigures[]): number {
  return Math.round(median(loads.map((it) => it.stepsPerSecond)));
}

function pad(cells: readonly string[]): string {
  return cells.map((cell, index) => (index === 0 ? cell.padEnd(24) : cell.padStart(16))).join("");
}

function ratio(a: number, b: number): string {
  return (a / b).toFixed(2);
}

function round3(value: number): number {
  return Math.round(value * 1000) / 1000;
}
