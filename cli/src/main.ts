import { runCommand } from "./command.ts";
import { exit } from "./failure.ts";
import type { Programs } from "./program.ts";
import { wantsColors } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

const environment = process.env;
/** As shells tell an end by SIGINT. */
const interrupted = 130;
const terminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  input: async () => Buffer.concat(await Array.fromAsync(process.stdin)),
  atInterrupt: (text) => {
    const leave = (): void => {
      process.stderr.write(text);
      process.exit(interrupted);
    };
    process.once("SIGINT", leave);
    return () => void process.off("SIGINT", leave);
  },
  now: Date.now,
  environment,
  screen: process.stdout.isTTY ? () => ({ columns: process.stdout.columns, rows: process.stdout.rows }) : undefined,
  errScreen: process.stderr.isTTY ? () => ({ columns: process.stderr.columns, rows: process.stderr.rows }) : undefined,
  colors: { out: wantsColors(environment, process.stdout.isTTY), err: wantsColors(environment, process.stderr.isTTY) },
};

/** A program that is longer gone than its reader (`sidestep … | head`) is no error. */
process.stdout.on("error", () => process.exit(exit.ok));

// Started by the launcher under another Node: whoever kills that one means this one too.
process.channel?.unref();
process.once("disconnect", () => void process.kill(process.pid, "SIGTERM"));

// Their main files run when they are loaded, and end the process themselves.
const programs: Programs = {
  orchestrator: async (args: readonly string[]) => {
    process.argv.splice(2, Number.POSITIVE_INFINITY, ...args);
    await import("../../orchestrator/src/main.ts");
  },
  sidecar: async (args: readonly string[]) => {
    process.argv.splice(2, Number.POSITIVE_INFINITY, ...args);
    await import("../../sidecar/src/main.ts");
  },
  dev: async (options) => {
    const { dev } = await import("./dev/dev.ts");
    const own = { node: process.execPath, entry: process.argv[1] ?? "" };
    return dev(options, { terminal, programs: own, signal: stopSignal() });
  },
};

/** Aborts at the first signal; the second one ends this process at once, and its keeper ends the rest. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(interrupted);
      stop.abort();
    });
  }
  return stop.signal;
}

const code = await runCommand(process.argv.slice(2), terminal, programs);
if (code !== exit.ok) process.exitCode = code;
