import { Command, Option } from "commander";
import { version } from "../../runtime/src/version.ts";
import { roles } from "../../runtime/src/tokenFile.ts";
import type { Role } from "../../runtime/src/tokenFile.ts";
import type { DevOptions } from "./dev/dev.ts";
import { withDoorKeys } from "./doorKeys.ts";
import { exampleNames } from "./exampleNames.ts";
import type { ExampleName } from "./exampleNames.ts";
import { exit } from "./failure.ts";
import type { ExitCode } from "./failure.ts";
import { addressOption, example, listOption, outputOption, shownOption, timeout, workflowName } from "./flags.ts";
import type { ListForm, ShownForm } from "./listForm.ts";
import { addAudit } from "./programAudit.ts";
import { addBulks, giveMeant, manyOptions, meantText, steerMeant } from "./programBulk.ts";
import type { GivenMeant, Meant } from "./programBulk.ts";
import { addDeploys } from "./programDeploy.ts";
import { addIndex, addLists, addWorkflows } from "./programLists.ts";
import { addCompletion, addContexts, addDoctor, addNats, applyContext, contextOption } from "./programSelf.ts";
import { addDev } from "./programDev.ts";
import { addSchedules } from "./programSchedules.ts";
import { addTriggers } from "./programTriggers.ts";
import { addFiles, addMigrate } from "./programVersions.ts";
import { addServices } from "./programServices.ts";
import { addReplay, addSimulation } from "./programSimulation.ts";
import { addApprovals, addCall, addHolds, addLimits, addTalk } from "./programTalk.ts";
import type { Steering } from "./runSteer.ts";
import type { Terminal } from "./terminal.ts";

/** The long-running programs, started in place; each reads its own flags and sets the exit code. */
export interface Programs {
  orchestrator(args: readonly string[]): Promise<void>;
  sidecar(args: readonly string[]): Promise<void>;
  /** Runs until it is stopped. */
  dev(options: DevOptions): Promise<ExitCode>;
}

/** The whole command tree; each command loads what it is made of when it is given. Actions throw CliFailure; `end` takes the exit code of those that don't end with 0. */
export function toProgram(terminal: Terminal, programs: Programs, end: (code: number) => void): Command {
  const program = new Command("sidestep")
    .description("Durable workflows over unmodified gRPC services.")
    .showHelpAfterError("(--help shows what there is)")
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err })
    .version(`sidestep ${version}`, "--version", "print the version")
    .exitOverride()
    .enablePositionalOptions();
  const withAddress = (command: Command): Command =>
    withDoorKeys(
      command
        .addOption(addressOption())
        .addOption(contextOption())
        .hook("preAction", (_, action) => applyContext(action, terminal)),
    ).hook("preAction", async (_, action) => (await import("./idPrefix.ts")).expandIds(action));
  addDefinitions(program, terminal, end);
  addDeploys(program, terminal, end, withAddress);
  addSimulation(program, terminal, end);
  addReplay(program, terminal, end, withAddress);
  addDev(program, (options) => programs.dev(options), end);
  const sidecar = addPrograms(program, programs);
  addWorkflows(program, terminal, withAddress);
  const run = program.command("run").description("start, watch and steer runs");
  addStarts(run, terminal, withAddress);
  addLists(run, terminal, withAddress);
  addShows(run, terminal, withAddress);
  addSteering(run, terminal, withAddress);
  addGivings(run, terminal, withAddress);
  addRerun(run, terminal, withAddress);
  addMigrate(run, terminal, end, withAddress);
  addFiles(run, terminal, withAddress);
  addTalk(run, terminal, withAddress);
  addCall(program, terminal, withAddress);
  addApprovals(program, terminal, withAddress);
  addHolds(program, terminal, withAddress);
  addLimits(program, terminal, withAddress);
  addBulks(program, terminal, withAddress);
  addSchedules(program, terminal, withAddress);
  addTriggers(program, terminal, withAddress);
  addServices(program, sidecar, terminal, withAddress);
  addIndex(program, terminal, withAddress);
  addAudit(program, terminal, withAddress);
  addDoctor(program, terminal, end, withAddress);
  addNats(program, terminal);
  addContexts(program, terminal);
  addCompletion(program, terminal, withAddress);
  program
    .command("token")
    .description("who may call an orchestrator")
    .command("create")
    .description("make a token, and its line for the file of --tokens")
    .requiredOption("--name <name>", "who holds it: the actor of what is done with it")
    .addOption(new Option("--role <role>", "what it lets its holder do").choices(roles).makeOptionMandatory())
    .addHelpText("after", example("sidestep token create --role operator --name on-call"))
    .action(async (given: { readonly name: string; readonly role: Role }) =>
      (await import("./token.ts")).createToken(given, terminal),
    );
  program
    .command("version")
    .description("print the version")
    .addHelpText("after", example("sidestep version"))
    .action(() => terminal.out(`sidestep ${version}\n`));
  return program;
}

interface CheckForm {
  readonly descriptorSet?: string;
  readonly format: "text" | "json" | "sarif" | "github";
}

interface Shown {
  readonly address: string;
  readonly output: "table" | "json";
}

interface ShownOne {
  readonly address: string;
  readonly output: ShownForm;
}

function addDefinitions(program: Command, terminal: Terminal, end: (code: ExitCode) => void): void {
  const line = (text: string): void => terminal.out(`${text}\n`);
  program
    .command("init")
    .description("write workflow.proto, buf.yaml and a first workflow, or a whole project with services and tests")
    .argument("[folder]", "where to", ".")
    .addOption(new Option("--example <name>", "a project to begin with").choices(exampleNames))
    .addHelpText("after", example("sidestep init --example order my-orders"))
    .action(async (folder: string, given: { readonly example?: ExampleName }) =>
      end(await (await import("./init.ts")).init(folder, { example: given.example, out: line })),
    );
  program
    .command("check")
    .description("check the workflows of a folder; exit code 10 when something is wrong")
    .argument("[folder]", "folder of .proto files", ".")
    .option("--descriptor-set <file>", "check a google.protobuf.FileDescriptorSet instead")
    .addOption(
      new Option(
        "--format <form>",
        "for people, as protobuf JSON, for code scanning, or to mark lines of a pull request",
      )
        .choices(["text", "json", "sarif", "github"])
        .default("text"),
    )
    .addOption(outputOption())
    .addHelpText("after", example("sidestep check examples/order/proto"))
    .action(async (folder: string, { descriptorSet, format, output }: Pick<Shown, "output"> & CheckForm) => {
      const wanted = format === "text" && output === "json" ? "json" : format;
      if (wanted !== "text") {
        const { checkFor } = await import("./deploy.ts");
        return end((await checkFor(wanted, folder, descriptorSet, terminal)) ? exit.findings : exit.ok);
      }
      const { check } = await import("./check.ts");
      return end(await check(folder, { descriptorSet, color: terminal.colors.out, out: line }));
    });
}

/** Those that run until they are stopped; returns `sidecar`, which has commands of its own besides. */
function addPrograms(program: Command, programs: Programs): Command {
  const about = {
    orchestrator: { does: "run an orchestrator", example: "sidestep orchestrator --nats-url nats://127.0.0.1:4222" },
    sidecar: { does: "run a sidecar beside a service", example: "sidestep sidecar --service localhost:50051" },
  } as const;
  const add = (name: "orchestrator" | "sidecar"): Command =>
    program
      .command(name)
      .description(`${about[name].does}; \`sidestep ${name} --help\` lists its settings`)
      .argument("[settings...]")
      .allowUnknownOption()
      .passThroughOptions()
      .helpOption(false)
      .addHelpText("after", example(about[name].example))
      .action((settings: readonly string[]) => programs[name](settings));
  add("orchestrator");
  return add("sidecar").helpCommand(false);
}

function addStarts(run: Command, terminal: Terminal, withAddress: (command: Command) => Command): void {
  const starting = (name: string): Command =>
    withAddress(run.command(name))
      .argument("<workflow>", "package.Service/Method", workflowName)
      .option("-d, --request <json>", "the request as JSON, @file, or - for stdin")
      .option("--idempotency-key <key>", "used when the workflow declares no key");
  starting("start")
    .description("start a run and print its id")
    .addOption(outputOption())
    .addHelpText("after", example(`sidestep run start shop.v1.OrderWorkflow/Fulfil -d '{"order_id": "o-1"}'`))
    .action(async (workflow: string, given: Starting & Shown) => {
      const { startAndPrint } = await import("./runExec.ts");
      await startAndPrint({ ...toStart(workflow, given), output: given.output }, terminal);
    });
  starting("exec")
    .description("start a run and wait for its answer: JSON on stdout, progress on stderr")
    .option("--timeout <duration>", "stop waiting after this long, as in 30s; the run goes on", timeout)
    .addHelpText("after", example(`sidestep run exec shop.v1.OrderWorkflow/Fulfil -d '{"order_id": "o-1"}'`))
    .action(async (workflow: string, given: Starting & { readonly timeout?: number }) =>
      (await import("./runExec.ts")).execRun({ ...toStart(workflow, given), timeoutMs: given.timeout }, terminal),
    );
}

interface Starting {
  readonly address: string;
  readonly request?: string;
  readonly idempotencyKey?: string;
}

function toStart(workflow: string, given: Starting) {
  return { address: given.address, workflow, request: given.request, idempotencyKey: given.idempotencyKey };
}

function addShows(run: Command, terminal: Terminal, withAddress: (command: Command) => Command): void {
  withAddress(run.command("describe"))
    .description("show a run as it stands: steps, incidents, answer, trace")
    .argument("<run id>")
    .addOption(shownOption())
    .addOption(
      new Option("--jaeger-url <url>", "print the trace as a link into this Jaeger").env("SIDESTEP_JAEGER_URL"),
    )
    .addHelpText(
      "after",
      example("sidestep run describe 0198c0ffee0010008000000000000001 --jaeger-url http://localhost:16686"),
    )
    .action(async (runId: string, given: ShownOne & { readonly jaegerUrl?: string }) =>
      (await import("./runShow.ts")).describeRun({ ...given, runId, jaegerUrl: given.jaegerUrl }, terminal),
    );
  withAddress(run.command("explain"))
    .description("tell what a live run waits for: which step, for whom, since when, until when")
    .argument("<run id>")
    .addOption(shownOption())
    .addHelpText("after", example("sidestep run explain 0198c0ffee0010008000000000000001"))
    .action(async (runId: string, given: ShownOne) =>
      (await import("./runShow.ts")).explainRun({ ...given, runId }, terminal),
    );
  withAddress(run.command("step"))
    .description(
      "show what a step computed, and each attempt of its call: when, by which sidecar, what it sent, how it ended",
    )
    .argument("<run id>")
    .argument("<step>", "its path, as `run describe` shows it")
    .option("--compensation", "what undoes the step", false)
    .addOption(shownOption())
    .addHelpText("after", example("sidestep run step 0198c0ffee0010008000000000000001 charge"))
    .action(async (runId: string, step: string, given: ShownOne & { readonly compensation: boolean }) =>
      (await import("./stepShow.ts")).showStep({ ...given, runId, step }, terminal),
    );
  withAddress(run.command("watch"))
    .description("show a run until it has ended: a live tree on a terminal, else a line for each change")
    .argument("<run id>")
    .addOption(outputOption())
    .addHelpText("after", example("sidestep run watch 0198c0ffee0010008000000000000001"))
    .action(async (runId: string, given: Shown) =>
      (await import("./watch.ts")).watchRun({ ...given, runId }, terminal),
    );
  withAddress(run.command("history"))
    .description("list a run's events, oldest first")
    .argument("<run id>")
    .addOption(listOption())
    .addHelpText("after", example("sidestep run history 0198c0ffee0010008000000000000001"))
    .action(async (runId: string, given: Pick<Shown, "address"> & { readonly output: ListForm }) =>
      (await import("./runShow.ts")).showHistory({ ...given, runId }, terminal),
    );
  withAddress(run.command("trace"))
    .description("show a run's spans as a tree, or as JSON that trace viewers open")
    .argument("<run id>")
    .addOption(new Option("-o, --output <form>", "form of the output").choices(["table", "otlp-json"]).default("table"))
    .option("--file <file>", "write the JSON into this file")
    .addHelpText("after", example("sidestep run trace 0198c0ffee0010008000000000000001 -o otlp-json --file trace.json"))
    .action(
      async (
        runId: string,
        given: { readonly address: string; readonly output: "table" | "otlp-json"; readonly file?: string },
      ) => (await import("./runShow.ts")).showTrace({ ...given, runId, file: given.file }, terminal),
    );
}

function addSteering(run: Command, terminal: Terminal, withAddress: (command: Command) => Command): void {
  const steering: readonly (readonly [Steering, string, hasStep: boolean])[] = [
    ["cancel", "stop a run and undo what was done", false],
    ["terminate", "end a run at once; nothing is undone", false],
    ["retry", "leave an incident by trying its step again, or a backoff by trying now", true],
    ["fail", "leave an incident by failing its step", true],
    ["compensate", "leave an incident by failing the run: what was done is undone", true],
    ["pause", "begin nothing new in a run until it is resumed", false],
    ["resume", "let a paused run go on", false],
    ["delete", "remove a run that has ended, with its history and payloads", false],
  ];
  for (const [name, does, hasStep] of steering) {
    const command = manyOptions(withAddress(run.command(name)))
      .description(does)
      .argument("[run id]", meantText)
      .option("--reason <text>", "kept in the history", "")
      .addHelpText(
        "after",
        example(`sidestep run ${name} 0198c0ffee0010008000000000000001 --reason "asked by the customer"`),
      )
      .action((runId: string | undefined, given: Meant) => steerMeant(name, runId, given, terminal));
    if (hasStep) command.option("--step <path>", "which step, when there are several that it could be");
  }
}

function addGivings(run: Command, terminal: Terminal, withAddress: (command: Command) => Command): void {
  const giving: readonly (readonly ["skip" | "patch", string, string])[] = [
    ["skip", "leave an incident with a result given here instead of the call's own", '{"charge_id": "c-1"}'],
    ["patch", "leave an incident by calling again with another request", '{"amount": 100}'],
  ];
  for (const [name, does, json] of giving) {
    manyOptions(withAddress(run.command(name)))
      .description(does)
      .argument("[run id]", meantText)
      .option("-d, --request <json>", `the ${name === "skip" ? "result" : "request"} as JSON, @file, or - for stdin`)
      .option("--proto <folder>", "folder of the .proto files that have the step's method")
      .option("--step <path>", "which step, when there are several incidents", "")
      .option("--reason <text>", "kept in the history", "")
      .addHelpText(
        "after",
        example(`sidestep run ${name} 0198c0ffee0010008000000000000001 --proto examples/order/proto -d '${json}'`),
      )
      .action(
        async (
          runId: string | undefined,
          given: GivenMeant & {
            readonly request?: string;
            readonly proto?: string;
            readonly step: string;
            readonly reason: string;
          },
        ) => {
          const { request, proto: protoFolder, step, reason } = given;
          const unfit = name === "skip" && step !== "" ? "--step" : undefined;
          const many = { name: step, reason, request, protoFolder, unfit };
          const one = async (id: string): Promise<void> =>
            (await import("./runSteer.ts")).giveToRun(name, { ...given, runId: id, request, protoFolder }, terminal);
          return giveMeant(name, runId, given, many, one, terminal);
        },
      );
  }
}

function addRerun(run: Command, terminal: Terminal, withAddress: (command: Command) => Command): void {
  manyOptions(withAddress(run.command("rerun")), "<run id> --step <name>", "--filter <condition> --step <name>")
    .description("go on in place of a run that has ended, from a step on, in a new run")
    .argument("[run id]", meantText)
    .requiredOption("--step <name>", "the first step that runs; what those before came to is taken over")
    .option("--reason <text>", "kept in the history", "")
    .addHelpText("after", example(`sidestep run rerun 0198c0ffee0010008000000000000001 --step ship --reason "mended"`))
    .action(
      async (runId: string | undefined, given: GivenMeant & { readonly step: string; readonly reason: string }) => {
        const many = { name: given.step, reason: given.reason, request: undefined, protoFolder: undefined };
        const one = async (id: string): Promise<void> =>
          (await import("./runSteer.ts")).rerunRun({ ...given, runId: id }, terminal);
        return giveMeant("rerun", runId, given, many, one, terminal);
      },
    );
}

/** The exit code of a usage error of commander's; its help and version end with 0. */
export function usageExitCode(code: number): number {
  return code === 0 ? exit.ok : exit.usage;
}
