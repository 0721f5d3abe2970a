import { readFile, stat } from "node:fs/promises";
import { didYouMean } from "../../../orchestrator/src/compile/closest.ts";
import { loadPlan } from "../../../orchestrator/src/engine/loadPlan.ts";
import type { LoadedPlan } from "../../../orchestrator/src/engine/plan.ts";
import { parseExport } from "../../../proto/json/exportedRun.ts";
import type { ExportedRun } from "../../../proto/json/exportedRun.ts";
import { CliFailure, exit } from "../failure.ts";
import { isBeginning, isRunIdOrBeginning } from "../idPrefix.ts";
import type { ExitCode } from "../failure.ts";
import { readContractsOf } from "../simulation/ground.ts";
import type { Terminal } from "../terminal.ts";
import { replayRun } from "./difference.ts";
import type { Replayed } from "./difference.ts";

/** How `sidestep replay` is asked to work. */
export interface ReplayOptions {
  /** File of an exported run, or the id of a run, or its beginning. */
  readonly place: string;
  /** Of the orchestrator, for a run. */
  readonly address: string;
  /** A folder of .proto files or an image; undefined: the run's own definition. */
  readonly with: string | undefined;
  readonly output: "table" | "json";
}

/** Folds a recorded run anew and prints the first difference; exit code 10 when there is one. Throws CliFailure. */
export async function replay(options: ReplayOptions, terminal: Terminal): Promise<ExitCode> {
  const run = await readExport(options.place, options.address);
  const own = run.plan === undefined ? undefined : ownPlan(run.plan, options.place);
  const other = options.with === undefined ? own : await planIn(options.with, run.workflow, terminal);
  if (other === "wrong") return exit.findings;
  if (other === undefined)
    throw new CliFailure(
      exit.usage,
      "the file has no plan of its own",
      options.place,
      "say which definition: --with <folder>",
    );
  const replayed = foldAnew(run, own, other, options.place);
  terminal.out(options.output === "json" ? `${JSON.stringify(replayed, undefined, 2)}\n` : text(run, replayed));
  return replayed.kind === "same" ? exit.ok : exit.findings;
}

function foldAnew(run: ExportedRun, own: LoadedPlan | undefined, other: LoadedPlan, file: string): Replayed {
  try {
    return replayRun(run, own, other);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const next = "a run that was summed up by a snapshot can only be replayed with its own definition";
    throw new CliFailure(exit.error, `the run can't be folded: ${reason}`, file, next, error);
  }
}

function text(run: ExportedRun, replayed: Replayed): string {
  const head = `run ${run.runId} of ${run.workflow} version ${run.version}`;
  switch (replayed.kind) {
    case "same":
      return `${head}: ${replayed.records} events, no difference${replayed.isEnded ? "" : "; it has not ended"}\n`;
    case "lacks":
      return `${head}: event ${replayed.sequence} has a payload that is kept apart and is not in the file, and the definition reads it\n`;
    case "different": {
      const { sequence, storedMs, step, recorded, replayed: now } = replayed.difference;
      const at = step === "" ? "" : `, step ${step}`;
      const when = new Date(storedMs).toISOString();
      return `${head}: the first difference is at event ${sequence}${at} (${when})\n  recorded  ${recorded}\n  replayed  ${now}\n`;
    }
  }
}

/** What there is a file of is one; what can only be an id is a run's. */
async function readExport(place: string, address: string): Promise<ExportedRun> {
  const isRun = isRunIdOrBeginning(place) && (await stat(place).catch(() => undefined)) === undefined;
  const parsed = parseExport(isRun ? await fetchExport(place, address) : await readText(place));
  if (parsed.kind === "run") return parsed.run;
  const next =
    "write one with `sidestep run export` or `sidestep simulate --record <file>`; a history as `run history` shows it has too little in it";
  throw new CliFailure(exit.usage, parsed.message, `${place}:${parsed.line}`, next);
}

function readText(file: string): Promise<string> {
  return readFile(file, "utf8").catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    const next = "name a file of an exported run, or a run by its id";
    throw new CliFailure(exit.usage, `the run can't be read: ${reason}`, file, next, error);
  });
}

async function fetchExport(given: string, address: string): Promise<string> {
  const { runOf } = await import("../idPrefix.ts");
  const { fetchRun } = await import("../runFiles.ts");
  return fetchRun({ address, runId: isBeginning(given) ? await runOf(given, address) : given });
}

function ownPlan(bytes: Uint8Array, file: string): LoadedPlan {
  try {
    return loadPlan(bytes);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliFailure(
      exit.error,
      `the plan of the run can't be read: ${reason}`,
      file,
      "say another one: --with",
      error,
    );
  }
}

async function planIn(place: string, workflow: string, terminal: Terminal): Promise<LoadedPlan | "wrong"> {
  const isFile = (await stat(place).catch(() => undefined))?.isFile() === true;
  const read = await readContractsOf(place, isFile ? place : undefined, terminal);
  if (read === undefined) return "wrong";
  const plan = read.workflows.get(workflow);
  if (plan !== undefined) return plan;
  const near = didYouMean(workflow, read.workflows.keys());
  throw new CliFailure(
    exit.notFound,
    `there is no workflow ${workflow}`,
    place,
    near === "" ? "name another folder" : near,
  );
}
