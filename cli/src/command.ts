import { CommanderError } from "commander";
import { CliFailure, exit, failureText } from "./failure.ts";
import { toProgram, usageExitCode } from "./program.ts";
import type { Programs } from "./program.ts";
import type { Terminal } from "./terminal.ts";

/** Runs one command, `args` being what stands behind `sidestep`; what went wrong is told on the terminal. Returns the exit code. */
export async function runCommand(args: readonly string[], terminal: Terminal, programs: Programs): Promise<number> {
  let exitCode: number = exit.ok;
  try {
    await toProgram(terminal, programs, (code) => (exitCode = code)).parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    return report(error, terminal);
  }
}

function report(error: unknown, terminal: Terminal): number {
  if (error instanceof CommanderError) return usageExitCode(error.exitCode);
  if (error instanceof CliFailure) {
    terminal.err(failureText(error));
    return error.exitCode;
  }
  const what = error instanceof Error ? error.message : String(error);
  const next = "this is a bug: please report it with the command you gave";
  terminal.err(failureText(new CliFailure(exit.error, what, "the command line itself", next, error)));
  if (error instanceof Error && (terminal.environment["SIDESTEP_DEBUG"] ?? "") !== "")
    terminal.err(`${error.stack ?? ""}\n`);
  return exit.error;
}
