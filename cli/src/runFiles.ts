import { readFile, writeFile } from "node:fs/promises";
import type { ExportRunResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import type { ServiceError } from "@grpc/grpc-js";
import { callMetadata } from "./doorCredentials.ts";
import { CliFailure, exit, toCliFailure } from "./failure.ts";
import { openFrontClient } from "./frontClient.ts";
import type { Terminal } from "./terminal.ts";

/** Writes all that the log has of a run, as JSON lines, to the output or into a file. */
export async function exportRun(
  { address, runId, file }: { readonly address: string; readonly runId: string; readonly file: string | undefined },
  terminal: Terminal,
): Promise<void> {
  const text = await fetchRun({ address, runId }, file === undefined ? (piece) => terminal.out(piece) : undefined);
  if (file === undefined) return;
  await writeFile(file, text);
  terminal.err(`run ${runId} is in ${file}\n`);
}

/** All that the log has of a run; each piece goes to `out` instead, when there is one. Throws CliFailure. */
export async function fetchRun(
  { address, runId }: { readonly address: string; readonly runId: string },
  out?: (piece: string) => void,
): Promise<string> {
  using client = openFrontClient(address);
  const pieces: string[] = [];
  const take = out ?? ((piece: string) => void pieces.push(piece));
  try {
    const stream: AsyncIterable<ExportRunResponse> = client.runs.export({ runId }, callMetadata());
    for await (const { text } of stream) take(text);
  } catch (error) {
    throw isServiceError(error) ? toCliFailure(error, address) : error;
  }
  return pieces.join("");
}

/** Puts an exported run into the archive. */
export async function importRun(
  { address, file, reason }: { readonly address: string; readonly file: string; readonly reason: string },
  terminal: Terminal,
): Promise<void> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    throw new CliFailure(
      exit.usage,
      `the run can't be read: ${why}`,
      file,
      "name a file of `sidestep run export`",
      error,
    );
  });
  using client = openFrontClient(address);
  const { runId } = await client.call(client.runs.import.bind(client.runs), { text, reason });
  terminal.err(`run ${runId} is in the archive: sidestep run describe ${runId}\n`);
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "metadata" in error && "code" in error;
}
