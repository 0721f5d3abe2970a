import { Option } from "commander";
import type { Command } from "commander";
import type { ExitCode } from "./failure.ts";
import { example, outputOption, wholeNumber, workflowName } from "./flags.ts";
import type { Terminal } from "./terminal.ts";

/** Flags that simulate and sweep have in common. */
interface Simulated {
  readonly request?: string;
  readonly fixtures?: string;
  readonly seed: number;
  readonly descriptorSet?: string;
  readonly output: "table" | "json";
}

/** simulate and sweep: what needs no services. */
export function addSimulation(program: Command, terminal: Terminal, end: (code: ExitCode) => void): void {
  withSimulated(program.command("simulate"))
    .description("run a workflow without services, in virtual time, and print what became of it")
    .option("--signal <name=json>", "a signal, kept until a step takes it; may be given several times", several, [])
    .addOption(new Option("--approve", "approve whatever waits to be").conflicts("reject"))
    .addOption(new Option("--reject", "reject whatever waits to be approved"))
    .option("--record <file>", "write the run's log there, for sidestep replay")
    .addHelpText(
      "after",
      example(`sidestep simulate shop.v1.OrderWorkflow/Fulfil examples/order/proto -d '{"order_id": "o-1"}'`),
    )
    .action(
      async (
        workflow: string,
        folder: string,
        given: Simulated & {
          readonly signal: readonly string[];
          readonly approve?: true;
          readonly reject?: true;
          readonly record?: string;
        },
      ) => {
        const { simulate } = await import("./simulation/simulate.ts");
        const decision = decisionOf(given);
        const { signal: signals, record, output } = given;
        end(await simulate({ ...toOptions(workflow, folder, given), signals, decision, record, output }, terminal));
      },
    );
  withSimulated(program.command("sweep"))
    .description(
      "fail each call of a workflow in each way, and see that what was done is undone; exit code 10 if it is not",
    )
    .option("--runs <number>", "runs at most", wholeNumber, 2_000)
    .option("--case <json>", "play one case alone, as a sweep has named it")
    .addHelpText("after", example("sidestep sweep shop.v1.OrderWorkflow/Fulfil examples/order/proto"))
    .action(
      async (
        workflow: string,
        folder: string,
        given: Simulated & { readonly runs: number; readonly case?: string },
      ) => {
        const { sweepWorkflow } = await import("./sweep/report.ts");
        const { runs: runsMax, output } = given;
        end(
          await sweepWorkflow({ ...toOptions(workflow, folder, given), runsMax, case: given.case, output }, terminal),
        );
      },
    );
}

/** replay: what needs no services, and but for a run that is fetched no orchestrator. */
export function addReplay(
  program: Command,
  terminal: Terminal,
  end: (code: ExitCode) => void,
  withAddress: (command: Command) => Command,
): void {
  withAddress(program.command("replay"))
    .description(
      "fold a recorded run anew, by another definition or by this version; exit code 10 at the first difference",
    )
    .argument("<file or run id>", "an exported run, JSON lines; or a run, which is fetched from the orchestrator")
    .option("--with <place>", "folder of .proto files, or an image; the run's own definition unless given")
    .addOption(outputOption())
    .addHelpText(
      "after",
      example(`sidestep replay run.jsonl --with examples/order/proto
sidestep replay 0198c0ffee0010008000000000000001 --with examples/order/proto`),
    )
    .action(
      async (
        place: string,
        given: { readonly address: string; readonly with?: string; readonly output: "table" | "json" },
      ) => {
        const { replay } = await import("./replay/replay.ts");
        end(await replay({ place, with: given.with, ...given }, terminal));
      },
    );
}

function withSimulated(command: Command): Command {
  return command
    .argument("<workflow>", "package.Service/Method", workflowName)
    .argument("[folder]", "folder of .proto files", ".")
    .option("-d, --request <json>", "the request as JSON, @file, or - for stdin; made up unless given")
    .option("--fixtures <file>", "how methods answer, in YAML or JSON; what it does not have is made up")
    .option("--seed <number>", "what made-up values follow from", wholeNumber, 1)
    .option("--descriptor-set <file>", "take a google.protobuf.FileDescriptorSet instead of the folder")
    .addOption(outputOption());
}

function toOptions(workflow: string, folder: string, given: Simulated) {
  const { request, fixtures, seed, descriptorSet } = given;
  return { workflow, folder, descriptorSet, request, fixtures, seed };
}

function decisionOf(given: { readonly approve?: true; readonly reject?: true }): "approve" | "reject" | undefined {
  if (given.approve === true) return "approve";
  return given.reject === true ? "reject" : undefined;
}

function several(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
