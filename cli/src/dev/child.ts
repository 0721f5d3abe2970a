import { spawn } from "node:child_process";
import { once } from "node:events";
import readline from "node:readline";
import type { Keeper } from "./keeper.ts";

/** What to start. */
export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `command` is a line for the shell. */
  readonly isShell?: boolean;
  /** Each line that it writes, to stdout or stderr. */
  readonly onLine: (line: string) => void;
  readonly keeper: Keeper;
}

/** A process with all that it starts itself, as one group. */
export interface Child {
  /** Resolves when it has ended and what it wrote has been read; whatever it started is gone by then. */
  readonly ended: Promise<ChildEnd>;
  readonly isRunning: () => boolean;
  /** SIGTERM to the group, SIGKILL after `graceMs`; resolves at the end. */
  stop(graceMs: number): Promise<void>;
}

export interface ChildEnd {
  /** "ended with code 1", "was killed by SIGKILL", "can't be started: …" */
  readonly how: string;
  readonly isClean: boolean;
}

const lookMs = 20;
/** What a process leaves running when it ends is not asked for long. */
const leftBehindMs = 1_000;

/** Starts it in a group of its own, so that a Ctrl-C of the terminal is for us alone to pass on. */
export function startChild({ command, args, cwd, env, isShell, onLine, keeper }: ChildOptions): Child {
  const child = spawn(command, args, {
    cwd,
    env: { ...env },
    shell: isShell === true,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const { pid } = child;
  if (pid !== undefined) keeper.guard(pid);
  for (const stream of [child.stdout, child.stderr]) readline.createInterface({ input: stream }).on("line", onLine);
  const closed = once(child, "close").catch(() => undefined);
  const end = async (): Promise<ChildEnd> => {
    const how = await howEnded(child);
    if (pid === undefined) return how;
    await endGroup(pid, leftBehindMs);
    keeper.release(pid);
    // Who has left the group may hold its output open.
    await Promise.race([closed, passed(leftBehindMs)]);
    return how;
  };
  const ended = end();
  return {
    ended,
    isRunning: () => child.exitCode === null && child.signalCode === null && pid !== undefined,
    stop: async (graceMs) => {
      if (pid !== undefined) await endGroup(pid, graceMs);
      await ended;
    },
  };
}

async function howEnded(child: ReturnType<typeof spawn>): Promise<ChildEnd> {
  try {
    await once(child, "exit");
  } catch (error) {
    return { how: `can't be started: ${error instanceof Error ? error.message : String(error)}`, isClean: false };
  }
  const { exitCode, signalCode } = child;
  if (signalCode !== null) return { how: `was killed by ${signalCode}`, isClean: false };
  return { how: `ended with code ${exitCode ?? 0}`, isClean: exitCode === 0 };
}

/** Asks all of a group to end, and makes it after `graceMs`. */
async function endGroup(group: number, graceMs: number): Promise<void> {
  let left = Math.ceil(graceMs / lookMs);
  let isThere = tell(group, "SIGTERM");
  while (isThere && left > 0) {
    left -= 1;
    await passed(lookMs);
    isThere = tell(group, 0);
  }
  if (isThere) tell(group, "SIGKILL");
}

/** False: nobody is left in it. */
function tell(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-group, signal);
  } catch {
    return false;
  }
}

function passed(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
