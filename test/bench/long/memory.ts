import { residentMiB } from "../accounting.ts";

/** Resident memory of programs, in MiB, at some parts of the way. */
export interface MemoryAlong {
  readonly percent: number;
  readonly orchestrator: number;
  readonly natsServer: number;
  readonly sidecar: number;
}

/** What became of it over the whole run. */
export interface MemoryReport {
  readonly most: Omit<MemoryAlong, "percent">;
  readonly along: readonly MemoryAlong[];
}

/** Looks at the programs four times a second. `percent` says how far the run has come. */
export function watchMemory(
  percent: () => number,
  pids: () => Readonly<Record<"orchestrator" | "natsServer" | "sidecar", number>>,
  marks: readonly number[] = [10, 25, 50, 75, 90, 100],
): { stop(): MemoryReport } {
  const most = { orchestrator: 0, natsServer: 0, sidecar: 0 };
  const along: MemoryAlong[] = [];
  const look = (): void => {
    const { orchestrator, natsServer, sidecar } = pids();
    const now = {
      orchestrator: readMiB(orchestrator),
      natsServer: readMiB(natsServer),
      sidecar: readMiB(sidecar),
    };
    most.orchestrator = Math.max(most.orchestrator, now.orchestrator);
    most.natsServer = Math.max(most.natsServer, now.natsServer);
    most.sidecar = Math.max(most.sidecar, now.sidecar);
    const mark = marks[along.length];
    if (mark !== undefined && percent() >= mark) along.push({ percent: mark, ...now });
  };
  const timer = setInterval(look, 250);
  return {
    stop: () => {
      clearInterval(timer);
      look();
      return { most, along };
    },
  };
}

function readMiB(pid: number): number {
  try {
    return residentMiB(pid);
  } catch {
    // It has just been killed.
    return 0;
  }
}
