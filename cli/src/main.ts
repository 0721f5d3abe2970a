import { CommanderError } from "commander";
import { CliFailure, exit, failureText } from "./failure.ts";
import { toProgram, usageExitCode } from "./program.ts";
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
  environment,
  screen: process.stdout.isTTY ? () => ({ columns: process.stdout.columns, rows: process.stdout.rows }) : undefined,
  colors: { out: wantsColors(environment, process.stdout.isTTY), err: wantsColors(environment, process.stderr.isTTY) },
};

/** A program that is longer gone than its reader (`sidestep … | head`) is no error. */
process.stdout.on("error", () => process.exit(exit.ok));

// Started by the launcher under another Node: whoever kills that one means this one too.
process.channel?.unref();
process.once("disconnect", () => void process.kill(process.pid, "SIGTERM"));

try {
  const setExitCode = (code: number): void => void (process.exitCode = code);
  // Their main files run when they are loaded, and end the process themselves.
  const programs = {
    orchestrator: async (args: readonly string[]) => {
      process.argv.splice(2, Number.POSITIVE_INFINITY, ...args);
      await import("../../orchestrator/src/main.ts");
    },
    sidecar: async (args: readonly string[]) => {
      process.argv.splice(2, Number.POSITIVE_INFINITY, ...args);
      await import("../../sidecar/src/main.ts");
    },
  };
  await toProgram(terminal, programs, setExitCode).parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  if (error instanceof CommanderError) return usageExitCode(error.exitCode);
  if (error instanceof CliFailure) {
    terminal.err(failureText(error));
    return error.exitCode;
  }
  const what = error instanceof Error ? error.message : String(error);
  const next = "this is a bug: please report it with the command you gave";
  terminal.err(failureText(new CliFailure(exit.error, what, "the command line itself", next, error)));
  if (error instanceof Error && (environment["SIDESTEP_DEBUG"] ?? "") !== "") terminal.err(`${error.stack ?? ""}\n`);
  return exit.error;
}
