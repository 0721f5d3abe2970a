import type { Command } from "commander";
import type { ExitCode } from "./failure.ts";
import { example, outputOption, wholeNumber, workflowName } from "./flags.ts";
import type { Terminal } from "./terminal.ts";

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
    .argument("[run id]", "one run; without it those of --workflow")
    .option("--to <version>", "the version; 0: the active one", wholeNumber, 0)
    .option("--workflow <package.Service/Method>", "its live runs of other versions", workflowName)
    .option("--filter <cel>", "of those the ones that it finds", "")
    .option("--preview", "only tell which can, and where others can't", false)
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
          readonly preview: boolean;
          readonly reason: string;
          readonly output: "table" | "json";
        },
      ) => {
        const { migrateRuns } = await import("./runMigrate.ts");
        const { workflow, preview: isPreview } = given;
        end(await migrateRuns({ ...given, runId, workflow, isPreview }, terminal));
      },
    );
}
