import type { Command } from "commander";
import type { ExitCode } from "./failure.ts";
import { example, outputOption, wholeNumber, workflowName } from "./flags.ts";
import type { Terminal } from "./terminal.ts";

/** `run export` and `run import`. */
export function addFiles(run: Command, terminal: Terminal, withAddress: (command: Command) => Command): void {
  withAddress(run.command("export"))
    .description("write all that the log has of a run as JSON lines, for `sidestep replay` and `run import`")
    .argument("<run id>")
    .option("--file <file>", "into this file; else to the output")
    .addHelpText("after", example("sidestep run export 0198c0ffee0010008000000000000001 --file run.jsonl"))
    .action(async (runId: string, given: { readonly address: string; readonly file?: string }) =>
      (await import("./runFiles.ts")).exportRun({ address: given.address, runId, file: given.file }, terminal),
    );
  withAddress(run.command("import"))
    .description("put an exported run that has ended into the archive, to be looked at; it never runs")
    .argument("<file>", "of `sidestep run export`")
    .option("--reason <text>", "kept in the audit", "")
    .addHelpText("after", example("sidestep run import run.jsonl"))
    .action(async (file: string, given: { readonly address: string; readonly reason: string }) =>
      (await import("./runFiles.ts")).importRun({ address: given.address, file, reason: given.reason }, terminal),
    );
}

/** `run migrate`. */
export function addMigrate(
  run: Command,
  terminal: Terminal,
  end: (code: ExitCode) => void,
  withAddress: (command: Command) => Command,
): void {
  withAddress(run.command("migrate"))
    .description(
      "let live runs go on by another version of their workflow, those that would have come to the same by it",
    )
    .usage("(<run id> | --workflow <name>) [options]")
    .argument("[run id]", "one run; not with --workflow")
    .option("--to <version>", "the version; 0: the active one", wholeNumber, 0)
    .option("--workflow <package.Service/Method>", "its live runs of other versions", workflowName)
    .option("--filter <cel>", "of those the ones that it finds", "")
    .option("--drop-signals", "also those for which signals wait that the version does not know; these are lost", false)
    .option("--preview", "only tell which can, and where others can't; so it is without --yes, but for one run", false)
    .option("--yes", "with --workflow: do it", false)
    .option("--rate <number>", "with --workflow: runs a second, up to 1000; 0: 100", wholeNumber, 0)
    .option("--reason <text>", "kept in the history", "")
    .addOption(outputOption())
    .addHelpText("after", example("sidestep run migrate --workflow shop.v1.OrderWorkflow/Fulfil --to 2 --preview"))
    .action(
      async (
        runId: string | undefined,
        given: {
          readonly address: string;
          readonly to: number;
          readonly workflow?: string;
          readonly filter: string;
          readonly dropSignals: boolean;
          readonly preview: boolean;
          readonly yes: boolean;
          readonly rate: number;
          readonly reason: string;
          readonly output: "table" | "json";
        },
      ) => {
        const { migrateRuns } = await import("./runMigrate.ts");
        const { workflow, preview: isPreview, yes: isSure } = given;
        end(await migrateRuns({ ...given, runId, workflow, isPreview, isSure }, terminal));
      },
    );
}
