import { Argument, Option } from "commander";
import type { Command } from "commander";
import { complete } from "./completion/complete.ts";
import { completionScript, loading, shellLists, shells } from "./completion/shells.ts";
import type { Shell } from "./completion/shells.ts";
import { contextOf, contextsFile, readContexts } from "./contexts.ts";
import type { Context } from "./contexts.ts";
import type { LookedUp } from "./completion/complete.ts";
import { natsSettings } from "../../runtime/src/natsSettings.ts";
import type { ExitCode } from "./failure.ts";
import { example, outputOption } from "./flags.ts";
import type { Terminal } from "./terminal.ts";

type WithAddress = (command: Command) => Command;

/** `completion`, and what its scripts ask. */
export function addCompletion(program: Command, terminal: Terminal, withAddress: WithAddress): void {
  program
    .command("completion")
    .description("print a script that completes commands, options, workflows and run ids at Tab")
    .addArgument(new Argument("<shell>", "which shell").choices(shells))
    .addHelpText(
      "after",
      `${example(loading.bash)}\nTo have it in every shell, put that line into ~/.bashrc; for others:\n  zsh   ${loading.zsh}    in ~/.zshrc, after compinit\n  fish  ${loading.fish}     in ~/.config/fish/config.fish\n`,
    )
    .action((shell: Shell) => terminal.out(completionScript(shell)));
  program
    .command("__complete", { hidden: true })
    .argument("[words...]")
    .action(async (words: readonly string[]) => {
      const { candidates, listed, options } = complete(program, words);
      for (const { word, about } of candidates) terminal.out(`${word}\t${about}\n`);
      if (listed === undefined) return;
      if (listed === "files" || listed === "folders") return terminal.out(`${shellLists[listed]}\n`);
      // Where to look and what opens the door is told as by any command: what was typed so far counts.
      const flags = lookUpCommand.options.flatMap((option) => {
        const value = options[option.attributeName()];
        return value === undefined ? [] : [option.long ?? "", value];
      });
      const asked = ["__lookup", ...flags, "--", listed, words.at(-1) ?? ""];
      // A line of completions is no place for an error.
      await program.parseAsync(asked, { from: "user" }).catch(() => undefined);
    });
  const lookUpCommand = withAddress(program.command("__lookup", { hidden: true }))
    .argument("<listed>")
    .argument("<start>")
    .action(async (listed: LookedUp, start: string, { address }: { readonly address: string }) => {
      const { lookUp } = await import("./completion/lookUp.ts");
      for (const { word, about } of await lookUp(listed, start, address, terminal)) {
        if (word.startsWith(start)) terminal.out(`${word}\t${about}\n`);
      }
    });
}

/** --context. */
export function contextOption(): Option {
  return new Option("--context <context>", "the orchestrator of this name, of `sidestep context list`").env(
    "SIDESTEP_CONTEXT",
  );
}

/**
 * Fills in what a command was not given from its context: one that is named counts more than the environment, and the current one is only for commands
 * that name no address, by a flag or by the environment; what opens one door is never shown at another. Throws CliFailure when it names one that is not there.
 */
export async function applyContext(command: Command, terminal: Terminal): Promise<void> {
  if (!command.options.some(({ long }) => long === "--context")) return;
  const name: unknown = command.getOptionValue("context");
  const isNamed = typeof name === "string";
  if (!isNamed && command.getOptionValueSource("address") !== "default") return;
  const file = contextsFile(terminal.environment);
  const context = contextOf(readContexts(file), isNamed ? name : undefined, file);
  for (const [field, value] of Object.entries(context ?? {})) {
    const source = command.getOptionValueSource(field);
    if (source !== "cli") command.setOptionValueWithSource(field, value, "config");
  }
}

/** `nats config`. */
export function addNats(program: Command, terminal: Terminal): void {
  const nats = program.command("nats").description("the NATS that all of it runs on");
  nats
    .command("config")
    .description("print NATS accounts that let each kind of sidecar do what its services need, and nothing else")
    .argument("[folder]", "folder of .proto files whose workflows call the services", ".")
    .option("--descriptor-set <file>", "a google.protobuf.FileDescriptorSet instead of the folder")
    .option("--service <package.Service...>", "services besides those that the workflows call", [])
    .option(
      "--account <name=services...>",
      "one account for several services, separated by commas: of a sidecar beside all of them",
      [],
    )
    .option("--caller <package.Service...>", "services that call workflows through their sidecars (--listen)", [])
    .option("--mesh <called=caller...>", "services that others call through both sidecars (--mesh, --mesh-allow)", [])
    .option("--prefix <name>", "as the orchestrators have it", "sidestep")
    .addHelpText("after", example("sidestep nats config examples/order/proto > accounts.conf"))
    .action(async (folder: string, given: NatsForm) =>
      (await import("./natsConfig.ts")).printNatsConfig(
        { ...given, folder, descriptorSet: given.descriptorSet },
        terminal,
      ),
    );
}

interface NatsForm {
  readonly descriptorSet?: string;
  readonly service: readonly string[];
  readonly account: readonly string[];
  readonly caller: readonly string[];
  readonly mesh: readonly string[];
  readonly prefix: string;
}

interface DoctorForm {
  readonly address: string;
  readonly output: "table" | "json";
  readonly nats: boolean;
  readonly service: readonly string[];
  readonly otlpEndpoint?: string;
}

/** `doctor`; the flags of NATS are those of the orchestrator. */
export function addDoctor(
  program: Command,
  terminal: Terminal,
  end: (code: ExitCode) => void,
  withAddress: WithAddress,
): void {
  const settings = Object.entries(natsSettings);
  const command = withAddress(program.command("doctor"))
    .description("look at all that runs need, and say what to do about what is wrong; exit code 10 when something is")
    .option("--nats", "look at NATS too, as this machine reaches it; so do the flags of NATS", false);
  for (const [, { flag, placeholder, doc, env }] of settings)
    command.addOption(new Option(`--${flag} ${placeholder}`, `${doc.replace(/\.$/, "")} [${env}]`));
  command
    .option("--service <host:port...>", "look at service processes too, as a sidecar would", [])
    .addOption(
      new Option("--otlp-endpoint <url>", "see whether somebody takes traces there").env("OTEL_EXPORTER_OTLP_ENDPOINT"),
    )
    .addOption(outputOption())
    .addHelpText("after", example("sidestep doctor --nats-url nats://127.0.0.1:4222 --service localhost:50051"))
    .action(async (given: DoctorForm & Readonly<Record<string, unknown>>) => {
      const natsFlags = settings.flatMap(([key, { flag }]) => {
        const value = given[key];
        return typeof value === "string" ? [`--${flag}`, value] : [];
      });
      const { doctor } = await import("./doctor/doctor.ts");
      const isNatsKnown = (terminal.environment["NATS_URL"] ?? "") !== "";
      const nats = given.nats || isNatsKnown || natsFlags.length > 0;
      end(await doctor({ ...given, otlpEndpoint: given.otlpEndpoint, nats, natsFlags }, terminal));
    });
}

/** `context add`, `use`, `list` and `remove`. */
export function addContexts(program: Command, terminal: Terminal): void {
  const context = program.command("context").description("orchestrators that commands talk to, by name");
  context
    .command("add")
    .description("keep an orchestrator under a name, with the files that open its door; the first one becomes current")
    .argument("<name>")
    .requiredOption("--address <host:port>", "the orchestrator")
    .option("--token-file <file>", "file with the token to show it")
    .option("--tls-ca <file>", "talk TLS, and trust who signed its certificate")
    .option("--tls-cert <file>", "certificate to show it, as PEM")
    .option("--tls-key <file>", "its private key, as PEM")
    .addHelpText(
      "after",
      example("sidestep context add production --address sidestep.example.com:7420 --token-file ~/token"),
    )
    .action(async (name: string, given: Context) =>
      (await import("./contextList.ts")).addContext(name, given, terminal),
    );
  context
    .command("use")
    .description("make a context the one that commands use")
    .argument("<context>")
    .addHelpText("after", example("sidestep context use production"))
    .action(async (name: string) => (await import("./contextList.ts")).useContext(name, terminal));
  context
    .command("list")
    .description("list them; the current one has a star")
    .addHelpText("after", example("sidestep context list"))
    .action(async () => (await import("./contextList.ts")).listContexts(terminal));
  context
    .command("remove")
    .description("forget a context")
    .argument("<context>")
    .addHelpText("after", example("sidestep context remove production"))
    .action(async (name: string) => (await import("./contextList.ts")).removeContext(name, terminal));
}
