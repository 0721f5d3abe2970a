import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { appendFileSync } from "node:fs";
import path from "node:path";
import readline from "node:readline";

/** The root folder of this repository. */
export const repositoryRoot = path.resolve(import.meta.dirname, "../..");

/** What to start. Relative paths are resolved in the repository's root unless `cwd` is given. */
export type ProgramOptions = {
  readonly name: string;
  readonly command: string;
  readonly args?: readonly string[];
  /** Added to this one's environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Number of the user and group to run as; this one's own unless told. */
  readonly uid?: number;
  /** The start is over when a line matches; without it, when the program has been spawned. */
  readonly readyLine?: RegExp;
  /** How long to wait for `readyLine`; 20 s unless told. */
  readonly readyTimeoutMs?: number;
  /** Even where there are bundles, what the arguments name is started. */
  readonly isAsWritten?: boolean;
  /** Every line is appended to this file too. */
  readonly logFile?: string;
};

/** How a program ended. */
export type ProgramEnd = { readonly code: number | undefined; readonly signal: string | undefined };

/** A started program; leaving its scope kills it. */
export type Program = AsyncDisposable & {
  readonly name: string;
  readonly pid: number;
  /** Every line it has written so far, stdout and stderr in order of arrival. */
  readonly lines: readonly string[];
  /** All of stdout so far. */
  readonly stdout: () => string;
  /** Resolves with how it ended. */
  readonly ended: Promise<ProgramEnd>;
  readonly isRunning: () => boolean;
  /** The first line, of the lines from number `from` on, that matches; rejects when it ends first or after `timeoutMs` (20 s). */
  readonly waitForLine: (
    pattern: RegExp,
    options?: { readonly timeoutMs?: number; readonly from?: number },
  ) => Promise<string>;
  readonly signal: (signal: NodeJS.Signals) => void;
  /** SIGKILL, and the end awaited. */
  readonly kill9: () => Promise<ProgramEnd>;
  /** SIGTERM, and the end awaited; SIGKILL after `graceMs` (20 s), which counts as an error. */
  readonly stop: (options?: { readonly graceMs?: number }) => Promise<ProgramEnd>;
  /** SIGSTOP: it stands still with its connections open. */
  readonly pause: () => void;
  /** SIGCONT. */
  readonly resume: () => void;
};

/** The gate has made bundles before the tests: these are what users run, and are up four times sooner than the sources. */
const bundles = process.env["SIDESTEP_BUNDLES"] ?? "";
const bundled: Readonly<Record<string, string>> = {
  [path.join(repositoryRoot, "orchestrator/src/main.ts")]: "orchestrator.js",
  [path.join(repositoryRoot, "sidecar/src/main.ts")]: "sidecar.js",
  [path.join(repositoryRoot, "bin/sidestep.js")]: "sidestep.js",
};

/** A program of ours as it is to be started. */
function asMade(file: string, cwd: string): string {
  const bundle = bundles === "" ? undefined : bundled[path.resolve(cwd, file)];
  return bundle === undefined ? file : path.join(bundles, bundle);
}

const waitMsDefault = 20_000;
const linesInError = 30;
const running = new Set<ChildProcess>();
process.once("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/** Starts a program and waits for its ready line. Whoever starts it owns it: `await using`. */
export async function startProgram(options: ProgramOptions): Promise<Program> {
  const cwd = options.cwd ?? repositoryRoot;
  const args = (options.args ?? []).map((arg) =>
    options.isAsWritten !== true && /\.[jt]s$/.test(arg) ? asMade(arg, cwd) : arg,
  );
  const child = spawn(options.command, args, {
    cwd,
    env: { ...process.env, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  });
  running.add(child);
  const program = toProgram(options.name, child, options.logFile);
  await once(child, "spawn");
  try {
    if (options.readyLine !== undefined) {
      await program.waitForLine(options.readyLine, { timeoutMs: options.readyTimeoutMs ?? waitMsDefault });
    }
    return program;
  } catch (error) {
    await program.kill9();
    throw error;
  }
}

/** Starts one of our entry points, or a service of a test, written in TypeScript or JavaScript, under the Node that runs the tests. */
export function startNode(
  file: string,
  options: Omit<ProgramOptions, "command" | "name"> & {
    readonly name?: string;
    /** Flags of Node itself. */
    readonly nodeArgs?: readonly string[];
  } = {},
): Promise<Program> {
  const args = [
    ...(options.nodeArgs ?? []),
    path.resolve(options.cwd ?? repositoryRoot, file),
    ...(options.args ?? []),
  ];
  return startProgram({ name: path.basename(file), ...options, command: process.execPath, args });
}

/** Runs a program to its end: what it wrote and how it ended. It is killed after `timeoutMs` (60 s). */
export async function runProgram(
  options: ProgramOptions & { readonly timeoutMs?: number },
): Promise<ProgramEnd & { readonly stdout: string; readonly lines: readonly string[] }> {
  await using program = await startProgram(options);
  const timer = setTimeout(() => program.signal("SIGKILL"), options.timeoutMs ?? 60_000);
  const end = await program.ended;
  clearTimeout(timer);
  return { ...end, stdout: program.stdout(), lines: program.lines };
}

function toProgram(name: string, child: ChildProcess, logFile: string | undefined): Program {
  const lines: string[] = [];
  const stdout: string[] = [];
  const listeners = new Set<() => void>();
  const collect = (stream: ChildProcess["stdout"], also: string[] | undefined): Promise<unknown> => {
    if (stream === null) return Promise.resolve();
    const reader = readline.createInterface({ input: stream });
    reader.on("line", (line) => {
      lines.push(line);
      also?.push(line);
      if (logFile !== undefined) appendFileSync(logFile, `${line}\n`);
      listeners.forEach((listener) => listener());
    });
    return once(reader, "close");
  };
  const drained = Promise.all([collect(child.stdout, stdout), collect(child.stderr, undefined)]);
  const exited = new Promise<ProgramEnd>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      running.delete(child);
      resolve({ code: code ?? undefined, signal: signal ?? undefined });
    });
  });
  // What it wrote last counts too: the end is told once its output has been read.
  const ended = exited.then(async (end) => {
    await drained;
    listeners.forEach((listener) => listener());
    return end;
  });
  ended.catch(() => undefined);
  const isRunning = (): boolean => child.exitCode === null && child.signalCode === null;
  const tail = (): string =>
    lines
      .slice(-linesInError)
      .map((line) => `  ${line}`)
      .join("\n");

  const waitForLine: Program["waitForLine"] = async (pattern, { timeoutMs = waitMsDefault, from = 0 } = {}) => {
    let next = from;
    const found = Promise.withResolvers<string>();
    const look = (): void => {
      for (; next < lines.length; next += 1) {
        const line = lines[next] ?? "";
        if (pattern.test(line)) return found.resolve(line);
      }
    };
    const timer = setTimeout(
      () =>
        found.reject(
          new Error(`${name} wrote no line like ${pattern} within ${timeoutMs} ms; its last lines:\n${tail()}`),
        ),
      timeoutMs,
    );
    listeners.add(look);
    look();
    void ended.then(
      (end) =>
        found.reject(
          new Error(
            `${name} ended (${end.signal ?? end.code}) without a line like ${pattern}; its last lines:\n${tail()}`,
          ),
        ),
      found.reject,
    );
    try {
      return await found.promise;
    } finally {
      clearTimeout(timer);
      listeners.delete(look);
    }
  };
  const kill9 = (): Promise<ProgramEnd> => {
    if (isRunning()) child.kill("SIGKILL");
    return ended;
  };
  const stop: Program["stop"] = async ({ graceMs = waitMsDefault } = {}) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, graceMs);
    if (isRunning()) {
      child.kill("SIGTERM");
      child.kill("SIGCONT");
    }
    const end = await ended;
    clearTimeout(timer);
    if (late) throw new Error(`${name} was still running ${graceMs} ms after SIGTERM; its last lines:\n${tail()}`);
    return end;
  };
  return {
    name,
    pid: child.pid ?? -1,
    lines,
    stdout: () => stdout.join("\n"),
    ended,
    isRunning,
    waitForLine,
    signal: (signal) => void child.kill(signal),
    kill9,
    stop,
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    [Symbol.asyncDispose]: async () => void (await kill9()),
  };
}
