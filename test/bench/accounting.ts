import { readFileSync } from "node:fs";

const microsPerTick = 10_000;

/** CPU time a program has used so far, user and system, in microseconds (10 ms steps, from /proc). */
export function cpuMicros(pid: number): number {
  const fields = statOf(pid);
  return (Number(fields[11]) + Number(fields[12])) * microsPerTick;
}

/** CPU time of the programs that a program has started, and those started by them, once they have ended. */
export function cpuMicrosOfChildren(pid: number): number {
  const fields = statOf(pid);
  return (Number(fields[13]) + Number(fields[14])) * microsPerTick;
}

/** /proc/<pid>/stat behind the program's name. */
function statOf(pid: number): readonly string[] {
  const line = readFileSync(`/proc/${pid}/stat`, "utf8");
  return line.slice(line.lastIndexOf(")") + 2).split(" ");
}

/** Resident memory of a program in MiB, now. */
export function residentMiB(pid: number): number {
  const found = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Math.round(Number(found?.[1] ?? 0) / 1024);
}

/** Watches how much memory programs have, four times a second; answers the most of each. */
export function watchResident(pids: () => Readonly<Record<string, number>>): () => Readonly<Record<string, number>> {
  const most: Record<string, number> = {};
  const look = (): void => {
    for (const [name, pid] of Object.entries(pids())) most[name] = Math.max(most[name] ?? 0, residentMiB(pid));
  };
  look();
  const timer = setInterval(look, 250);
  return () => {
    clearInterval(timer);
    look();
    return most;
  };
}

/** Memory that a program has alone, in MiB, now: what one more of it on a machine costs. */
export function privateMiB(pid: number): number {
  const parts = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8").matchAll(/^Private_(?:Clean|Dirty):\s+(\d+)/gm);
  return Math.round([...parts].reduce((sum, [, kib]) => sum + Number(kib), 0) / 102.4) / 10;
}

/** CPU used by each program between two looks, per unit of work, in microseconds. */
export function cpuPerUnit(
  before: Readonly<Record<string, number>>,
  after: Readonly<Record<string, number>>,
  units: number,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(after).map(([name, micros]) => [
      name,
      Math.round((micros - (before[name] ?? 0)) / Math.max(1, units)),
    ]),
  );
}

/** Processes by the names of a report; what is one thing there may be several. */
export type Pids = Readonly<Record<string, number | readonly number[]>>;

/** CPU that each of the programs has used so far. */
export function cpuNow(pids: Pids): Record<string, number> {
  return sums(pids, cpuMicros);
}

/** Resident memory of each, in MiB. */
export function residentNow(pids: Pids): Record<string, number> {
  return sums(pids, residentMiB);
}

function sums(pids: Pids, read: (pid: number) => number): Record<string, number> {
  const all = Object.entries(pids).map(([name, ofName]) => {
    const each = typeof ofName === "number" ? [ofName] : ofName;
    return [name, each.reduce((sum, pid) => sum + read(pid), 0)] as const;
  });
  return Object.fromEntries(all);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The value that so large a part of them is not above; NaN of none. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
