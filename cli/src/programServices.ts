import type { Command } from "commander";
import { example, listOption, shownOption } from "./flags.ts";
import type { ListForm, ShownForm } from "./listForm.ts";
import type { Terminal } from "./terminal.ts";

interface Listed {
  readonly address: string;
  readonly output: ListForm;
}

const someSidecar = "shop-7d9f-12-4be1c02a";

/** `service list`, `service describe`, and what `sidecar` has besides the program itself. */
export function addServices(
  program: Command,
  sidecar: Command,
  terminal: Terminal,
  withAddress: (command: Command) => Command,
): void {
  const service = program.command("service").description("services that workflows call");
  withAddress(service.command("list"))
    .description("list services: their sidecars, what waits for them, what holds their calls up")
    .addOption(listOption())
    .addHelpText("after", example("sidestep service list"))
    .action(async (given: Listed) => (await import("./serviceList.ts")).listServices(given, terminal));
  withAddress(service.command("describe"))
    .description("show a service: its sidecars, its methods, who calls them, what holds them up")
    .argument("<service>", "package.Service")
    .addOption(shownOption())
    .addHelpText("after", example("sidestep service describe payment.v1.PaymentService"))
    .action(async (name: string, given: { readonly address: string; readonly output: ShownForm }) =>
      (await import("./serviceList.ts")).describeService(name, given, terminal),
    );
  // The program reads its settings, --help among them, by itself; its commands do not.
  const ofSidecar = (name: string): Command => withAddress(sidecar.command(name)).helpOption("-h, --help", "show this");
  ofSidecar("list")
    .description("list the sidecars that are alive")
    .addOption(listOption())
    .addHelpText("after", example("sidestep sidecar list -o wide"))
    .action(async (given: Listed) => (await import("./sidecarList.ts")).listSidecars(given, terminal));
  ofSidecar("drain")
    .description("have a sidecar take nothing new, and wait until it has finished what it has")
    .argument("<sidecar id>", "the beginning of one will do")
    .option("--reason <text>", "shown in the list", "")
    .option("--detach", "do not wait", false)
    .addHelpText("after", example(`sidestep sidecar drain ${someSidecar} --reason "the node is replaced"`))
    .action(
      async (start: string, given: { readonly address: string; readonly reason: string; readonly detach: boolean }) =>
        (await import("./sidecarList.ts")).drainSidecar(start, given, terminal),
    );
  ofSidecar("resume")
    .description("let a sidecar take calls again")
    .argument("<sidecar id>", "the beginning of one will do")
    .option("--reason <text>", "kept in the audit", "")
    .addHelpText("after", example(`sidestep sidecar resume ${someSidecar}`))
    .action(async (start: string, given: { readonly address: string; readonly reason: string }) =>
      (await import("./sidecarList.ts")).resumeSidecar(start, given, terminal),
    );
}
