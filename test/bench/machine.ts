import { readFileSync } from "node:fs";
import os from "node:os";
import { ensureNatsServer } from "../../bin/natsServer.mjs";
import { runProgram } from "../support/program.ts";

/** What figures were measured on; without it they say nothing. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly natsServer: string;
  /** Cores that nats-server runs on at one time, where it was told: GOMAXPROCS. */
  readonly natsServerCores: string | undefined;
  /** Over the last minute, when the measuring began: 0 on a machine that does nothing else. */
  readonly loadAverage: number;
}

/** Looks at it. */
export async function describeMachine(): Promise<Machine> {
  const { stdout } = await runProgram({ name: "nats-server", command: await ensureNatsServer(), args: ["--version"] });
  return {
    processor: os.cpus()[0]?.model ?? "unknown",
    cores: os.availableParallelism(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    kernel: `${os.type()} ${os.release()}`,
    node: process.version,
    natsServer: stdout.trim().replace(/^nats-server: /, ""),
    natsServerCores: process.env["GOMAXPROCS"],
    loadAverage: Number(readFileSync("/proc/loadavg", "utf8").split(" ")[0]),
  };
}

/** The same in a line. */
export function machineText(machine: Machine): string {
  const { processor, cores, memoryGiB, kernel, node, natsServer, natsServerCores, loadAverage } = machine;
  const onCores = natsServerCores === undefined ? "" : ` with GOMAXPROCS=${natsServerCores}`;
  return (
    `${cores} cores of ${processor}, ${memoryGiB} GiB, ${kernel}, Node ${node}, nats-server ${natsServer}${onCores}; ` +
    `load average ${loadAverage} at the start.`
  );
}
