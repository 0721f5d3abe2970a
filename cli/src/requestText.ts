import { readFile } from "node:fs/promises";
import { CliFailure, exit } from "./failure.ts";
import type { Terminal } from "./terminal.ts";

/** The text behind -d: JSON itself, @file, or - for stdin; an empty object when it was not given. */
export async function readRequestText(given: string | undefined, terminal: Terminal): Promise<string> {
  if (given === undefined) return "{}";
  if (given === "-") return Buffer.from(await terminal.input()).toString();
  if (!given.startsWith("@")) return given;
  try {
    return await readFile(given.slice(1), "utf8");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliFailure(
      exit.usage,
      `the request can't be read: ${reason}`,
      "-d, --request",
      "give JSON, @file, or - for stdin",
      error,
    );
  }
}
