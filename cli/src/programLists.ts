import { Option } from "commander";
import type { Command } from "commander";
import { example, listOption, shownOption, wholeNumber, workflowName } from "./flags.ts";
import type { ListForm, ShownForm } from "./listForm.ts";
import type { Terminal } from "./terminal.ts";

type WithAddress = (command: Command) => Command;

interface Filtered {
  readonly address: string;
  readonly filter: string;
  readonly state: readonly string[];
  readonly workflow?: string;
}

const filterHelp = "a condition over the runs in CEL, as in the example";

/** `workflow list`, `describe` and `graph`. */
export function addWorkflows(program: Command, terminal: Terminal, withAddress: WithAddress): void {
  const workflow = program.command("workflow").description("what is deployed");
  withAddress(workflow.command("list"))
    .description("list all workflows that were ever deployed")
    .addOption(listOption())
    .addHelpText("after", example("sidestep workflow list"))
    .action(async (given: { readonly address: string; readonly output: ListForm }) =>
      (await import("./workflowList.ts")).listWorkflows(given, terminal),
    );
  const one = (name: string): Command =>
    withAddress(workflow.command(name))
      .argument("<workflow>", "package.Service/Method", workflowName)
      .option("--definition-version <number>", "this version, not the active one", wholeNumber, 0);
  interface Given {
    readonly address: string;
    readonly definitionVersion: number;
  }
  one("describe")
    .description("show a workflow as it was written: settings, steps, what undoes them")
    .addOption(shownOption())
    .addHelpText("after", example("sidestep workflow describe shop.v1.OrderWorkflow/Fulfil"))
    .action(async (name: string, given: Given & { readonly output: ShownForm }) =>
      (await import("./workflowShow.ts")).describeWorkflow({ ...given, workflow: name }, terminal),
    );
  one("graph")
    .description("print a workflow's graph for Mermaid or Graphviz")
    .addOption(
      new Option("-o, --output <form>", "for Markdown pages, or for `dot -Tsvg`")
        .choices(["mermaid", "dot"])
        .default("mermaid"),
    )
    .addHelpText("after", example("sidestep workflow graph shop.v1.OrderWorkflow/Fulfil -o dot"))
    .action(async (name: string, given: Given & { readonly output: "mermaid" | "dot" }) =>
      (await import("./workflowShow.ts")).drawWorkflow({ ...given, workflow: name }, terminal),
    );
}

/** `run list` and `run count`. */
export function addLists(run: Command, terminal: Terminal, withAddress: WithAddress): void {
  const filtered = (name: string): Command =>
    withAddress(run.command(name))
      .option("--filter <condition>", filterHelp, "")
      .option("--state <state...>", "only runs in these states, such as paused or failed", [])
      .option("--workflow <workflow>", "only runs of package.Service/Method", workflowName);
  filtered("list")
    .addOption(listOption())
    .description("list runs, newest first")
    .option("--limit <number>", "at most so many", wholeNumber, 50)
    .addHelpText(
      "after",
      example(
        `sidestep run list --filter 'state == PAUSED && started > now - duration("1d") && attributes.customer == "c-1"'`,
      ),
    )
    .action(async (given: Filtered & { readonly output: ListForm; readonly limit: number }) =>
      (await import("./runList.ts")).listRuns({ ...given, workflow: given.workflow }, terminal),
    );
  filtered("count")
    .addOption(shownOption())
    .description("count runs by workflow, version and state")
    .addHelpText("after", example("sidestep run count --state paused failed"))
    .action(async (given: Filtered & { readonly output: ShownForm }) =>
      (await import("./runList.ts")).countRuns({ ...given, workflow: given.workflow }, terminal),
    );
}

/** `incident list`, and `index`. */
export function addIndex(program: Command, terminal: Terminal, withAddress: WithAddress): void {
  const incident = program.command("incident").description("steps that wait for a person");
  withAddress(incident.command("list"))
    .description("list open incidents, grouped by workflow, step, error and reason")
    .option("--filter <condition>", filterHelp, "")
    .addOption(listOption())
    .addHelpText("after", example(`sidestep incident list --filter 'workflow == "shop.v1.OrderWorkflow/Fulfil"'`))
    .action(async (given: { readonly address: string; readonly output: ListForm; readonly filter: string }) =>
      (await import("./runList.ts")).listIncidents(given, terminal),
    );
  const index = program.command("index").description("what lists are made from");
  withAddress(index.command("describe"))
    .description("show where the index is, and how far it goes")
    .addOption(shownOption())
    .addHelpText("after", example("sidestep index describe"))
    .action(async (given: { readonly address: string; readonly output: ShownForm }) =>
      (await import("./rebuild.ts")).describeIndex(given, terminal),
    );
  withAddress(index.command("rebuild"))
    .description("make the index anew from the log; runs are left alone, and lists show the old one meanwhile")
    .option("--reason <text>", "kept in the audit", "")
    .addHelpText("after", example("sidestep index rebuild"))
    .action(async (given: { readonly address: string; readonly reason: string }) =>
      (await import("./rebuild.ts")).rebuildIndex(given, terminal),
    );
}
