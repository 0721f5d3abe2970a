import { Option } from "commander";
import type { Command } from "commander";
import { example, listOption, timeout, wholeNumber } from "./flags.ts";
import type { ListForm } from "./listForm.ts";
import type { Terminal } from "./terminal.ts";

const limitDefault = 50;

/** `audit list`. */
export function addAudit(program: Command, terminal: Terminal, withAddress: (command: Command) => Command): void {
  const audit = program.command("audit").description("who steered what");
  withAddress(audit.command("list"))
    .description("list what was done, and what was refused for a role, newest first")
    .option("--actor <name>", "by this one", "")
    .option("--method <name>", "with this: Cancel, or sidestep.v1.Runs/Cancel", "")
    .option("--target <name>", "to this: a run's id, a sidecar, a workflow, a service", "")
    .addOption(new Option("--outcome <outcome>", "that came to this").choices(["done", "failed", "refused"]))
    .option("--since <duration>", "in the last so long, as in 24h", timeout)
    .option("--limit <n>", "at most so many", wholeNumber, limitDefault)
    .addOption(listOption())
    .addHelpText("after", example("sidestep audit list --actor on-call --since 24h"))
    .action(
      async (given: {
        readonly address: string;
        readonly output: ListForm;
        readonly actor: string;
        readonly method: string;
        readonly target: string;
        readonly outcome?: "done" | "failed" | "refused";
        readonly since?: number;
        readonly limit: number;
      }) => (await import("./auditList.ts")).listAudit(given, terminal),
    );
}
