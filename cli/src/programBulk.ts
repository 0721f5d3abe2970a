import type { Command } from "commander";
import type { GiveManyOptions, Giving } from "./bulkGiven.ts";
import { CliFailure, exit } from "./failure.ts";
import { example, listOption, shownOption, wholeNumber } from "./flags.ts";
import type { ListForm, ShownForm } from "./listForm.ts";
import type { Steering } from "./runSteer.ts";
import type { Terminal } from "./terminal.ts";

/** Which runs are meant: one, or all that a filter finds. */
export interface Meant {
  readonly address: string;
  readonly reason: string;
  readonly filter: string;
  readonly preview: boolean;
  readonly yes: boolean;
  readonly rate: number;
  readonly step?: string;
}

/** The flags that make a steering command one for many runs; `one` and `many`: what says which, as the usage has it. */
export function manyOptions(command: Command, one = oneRun, many = manyRuns): Command {
  return command
    .usage(`(${one} | ${many}) [options]`)
    .option("--filter <condition>", "all runs that this finds, as of `run list`, instead of one", "")
    .option("--preview", "with --filter: only show how many runs and which are meant; so it is without --yes", false)
    .option("--yes", "with --filter: do it", false)
    .option("--rate <number>", "with --filter: runs a second, up to 1000; 0: 100", wholeNumber, 0);
}

/** The run's id, as an argument. */
export const meantText = "the run; not with --filter";
const oneRun = "<run id>";
const manyRuns = "--filter <condition>";

/** The one run that is meant; undefined: those of the filter are. Throws CliFailure when nothing says which, or too much does. */
function oneMeant(
  runId: string | undefined,
  { filter, preview, rate }: Pick<GivenMeant, "filter" | "preview" | "rate">,
): string | undefined {
  if (runId === undefined) {
    if (filter !== "") return undefined;
    throw unclear("nothing says which run", "give a run's id, or --filter for all runs that it finds");
  }
  if (filter !== "") throw unclear(`a run (${runId}) and a filter are given`, "leave the run's id or --filter out");
  const ofMany = preview ? "--preview" : rate > 0 ? "--rate" : undefined;
  if (ofMany !== undefined)
    throw unclear(`${ofMany} is for --filter`, `leave ${ofMany} out, or give --filter and no run's id`);
  return runId;
}

/** Arguments that don't say what is to be done. */
export function unclear(what: string, next: string): CliFailure {
  return new CliFailure(exit.usage, what, "the arguments", next);
}

/** Steers one run or many. */
export async function steerMeant(
  name: Steering,
  runId: string | undefined,
  given: Meant,
  terminal: Terminal,
): Promise<void> {
  const { step } = given;
  const one = oneMeant(runId, given);
  if (one !== undefined)
    return (await import("./runSteer.ts")).steerRun(name, { ...given, runId: one, step: step ?? "" }, terminal);
  if (step !== undefined) {
    const next = "leave --step out: all incidents of the runs are meant";
    throw new CliFailure(exit.usage, "--step is for one run", "the options", next);
  }
  return (await import("./bulk.ts")).steerMany(name, { ...given, isPreview: given.preview || !given.yes }, terminal);
}

/** Flags of a command that gives something to one run or to many. */
export interface GivenMeant {
  readonly address: string;
  readonly filter: string;
  readonly preview: boolean;
  readonly yes: boolean;
  readonly rate: number;
}

/** Gives something to one run, as `one` does it, or to all that the filter finds. `unfit`: an option that is for one run. */
export async function giveMeant(
  giving: Giving,
  runId: string | undefined,
  given: GivenMeant,
  many: Pick<GiveManyOptions, "name" | "reason" | "request" | "protoFolder"> & {
    readonly by?: string;
    readonly unfit?: string | undefined;
  },
  one: (runId: string) => Promise<void>,
  terminal: Terminal,
): Promise<void> {
  const { address, filter, rate } = given;
  const meant = oneMeant(runId, given);
  if (meant !== undefined) return one(meant);
  const { unfit, by = "", ...rest } = many;
  if (unfit !== undefined)
    throw new CliFailure(exit.usage, `${unfit} is for one run`, "the options", `leave ${unfit} out`);
  const options = { ...rest, by, address, filter, rate, isPreview: given.preview || !given.yes };
  return (await import("./bulkGiven.ts")).giveToMany(giving, options, terminal);
}

/** `bulk list`, `describe` and `stop`. */
export function addBulks(program: Command, terminal: Terminal, withAddress: (command: Command) => Command): void {
  const bulk = program.command("bulk").description("actions on many runs");
  withAddress(bulk.command("list"))
    .description("list actions on many runs: those that go on, and the latest that have ended")
    .addOption(listOption())
    .addHelpText("after", example("sidestep bulk list"))
    .action(async (given: { readonly address: string; readonly output: ListForm }) =>
      (await import("./bulk.ts")).listBulks(given, terminal),
    );
  withAddress(bulk.command("describe"))
    .description("show how far an action is, and which runs it did not fit")
    .argument("<bulk id>")
    .addOption(shownOption())
    .addHelpText("after", example("sidestep bulk describe 5f0c6d1b9a7e4c3d8b2a190817263544"))
    .action(async (bulkId: string, given: { readonly address: string; readonly output: ShownForm }) =>
      (await import("./bulk.ts")).describeBulk({ ...given, bulkId }, terminal),
    );
  withAddress(bulk.command("stop"))
    .description("end an action on many runs; what was done stays done")
    .argument("<bulk id>")
    .option("--reason <text>", "kept in the audit", "")
    .addHelpText("after", example("sidestep bulk stop 5f0c6d1b9a7e4c3d8b2a190817263544"))
    .action(async (bulkId: string, given: { readonly address: string; readonly reason: string }) =>
      (await import("./bulk.ts")).stopBulk({ ...given, bulkId }, terminal),
    );
}
