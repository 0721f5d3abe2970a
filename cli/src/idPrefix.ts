import type { Command } from "commander";
import { CliFailure, exit } from "./failure.ts";

/** Of a whole id: of runs and of bulk actions alike. */
const idLength = 32;
const shortest = 4;

/** Puts whole ids in place of beginnings of them, in the arguments of a command. Throws CliFailure when a beginning is nobody's, or of several. */
export async function expandIds(command: Command): Promise<void> {
  for (const [at, argument] of command.registeredArguments.entries()) {
    const given: unknown = command.processedArgs[at];
    const kind = argument.name();
    if ((kind !== "run id" && kind !== "bulk id") || typeof given !== "string" || !isBeginning(given)) continue;
    const address = String(command.getOptionValue("address"));
    command.processedArgs[at] = kind === "run id" ? await runOf(given, address) : await bulkOf(given, address);
  }
}

/** Can it be the id of a run, or the beginning of one? */
export function isRunIdOrBeginning(text: string): boolean {
  return isBeginning(text) || (text.length === idLength && /^[0-9a-f]+$/.test(text));
}

/** Can it be the beginning of an id? */
export function isBeginning(text: string): boolean {
  return text.length >= shortest && text.length < idLength && /^[0-9a-f]+$/.test(text);
}

/** The only run whose id begins so. Throws CliFailure when there is none, or several. */
export async function runOf(start: string, address: string): Promise<string> {
  const { openFrontClient } = await import("./frontClient.ts");
  using client = openFrontClient(address);
  const asked = { filter: `id.startsWith("${start}")`, pageSize: 2, pageToken: "", skip: 0 };
  const { runs } = await client.call(client.runs.list.bind(client.runs), asked);
  return only(
    start,
    runs.flatMap(({ run }) => (run === undefined ? [] : [run.runId])),
    "run",
    address,
  );
}

async function bulkOf(start: string, address: string): Promise<string> {
  const { openFrontClient } = await import("./frontClient.ts");
  using client = openFrontClient(address);
  const { bulks } = await client.call(client.runs.listBulks.bind(client.runs), {});
  return only(
    start,
    bulks.map(({ bulkId }) => bulkId).filter((id) => id.startsWith(start)),
    "bulk action",
    address,
  );
}

function only(start: string, found: readonly string[], kind: string, address: string): string {
  const [first, second] = found;
  const where = `the orchestrator at ${address}`;
  if (first === undefined)
    throw new CliFailure(exit.notFound, `no ${kind} has an id that begins with ${start}`, where, "give the whole id");
  if (second === undefined) return first;
  const what = `several ids begin with ${start}: ${first}, ${second}${found.length > 2 ? ", …" : ""}`;
  throw new CliFailure(exit.usage, what, where, "give more of it");
}
