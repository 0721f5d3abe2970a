import type { Command } from "commander";
import { example, listOption, outputOption, shownOption } from "./flags.ts";
import type { ListForm, ShownForm } from "./listForm.ts";
import type { Terminal } from "./terminal.ts";
import type { WhichOptions } from "./triggerParked.ts";

interface Given {
  readonly address: string;
  readonly reason: string;
}

const someTrigger = "shop.v1.OrderWorkflow/Fulfil/placed";

/** `trigger list` and its kin. */
export function addTriggers(program: Command, terminal: Terminal, withAddress: (command: Command) => Command): void {
  const trigger = program.command("trigger").description("runs that are started, and signalled, by messages");
  withAddress(trigger.command("list"))
    .description("list triggers by subjects, what waits for them and what they can't take")
    .addOption(listOption())
    .addHelpText("after", example("sidestep trigger list"))
    .action(async (given: { readonly address: string; readonly output: ListForm }) =>
      (await import("./triggerList.ts")).listTriggers(given, terminal),
    );
  withAddress(trigger.command("describe"))
    .description("show a trigger: its subject, where it is listened to, what waits")
    .argument("<trigger id>")
    .addOption(shownOption())
    .addHelpText("after", example(`sidestep trigger describe ${someTrigger}`))
    .action(async (id: string, given: { readonly address: string; readonly output: ShownForm }) =>
      (await import("./triggerList.ts")).describeTrigger(id, given, terminal),
    );
  addChanges(trigger, terminal, withAddress);
  addParked(trigger, terminal, withAddress);
}

function addChanges(trigger: Command, terminal: Terminal, withAddress: (command: Command) => Command): void {
  const change = (name: string, does: string, more = ""): Command =>
    withAddress(trigger.command(name))
      .description(does)
      .argument("<trigger id>")
      .option("--reason <text>", "kept in the audit", "")
      .addHelpText("after", example(`sidestep trigger ${name} ${someTrigger}${more}`));
  change("pause", "take no messages until it is resumed; they are kept", ' --reason "stocktaking"').action(
    async (id: string, given: Given) => (await import("./triggerChange.ts")).pauseTrigger(id, given, terminal),
  );
  change("resume", "go on with what has been kept").action(async (id: string, given: Given) =>
    (await import("./triggerChange.ts")).resumeTrigger(id, given, terminal),
  );
  change("delete", "forget a trigger that its contract has no more, with all that waits for it").action(
    async (id: string, given: Given) => (await import("./triggerChange.ts")).deleteTrigger(id, given, terminal),
  );
}

function addParked(trigger: Command, terminal: Terminal, withAddress: (command: Command) => Command): void {
  withAddress(trigger.command("parked"))
    .description("list messages that a trigger can't take, with the reason")
    .argument("<trigger id>")
    .option("--payload", "print the bytes of each message, too", false)
    .addOption(listOption())
    .addHelpText("after", example(`sidestep trigger parked ${someTrigger}`))
    .action(
      async (id: string, given: { readonly address: string; readonly output: ListForm; readonly payload: boolean }) =>
        (await import("./triggerParked.ts")).listParked(id, given, terminal),
    );
  const which = (name: string, does: string): Command =>
    withAddress(trigger.command(name))
      .description(does)
      .argument("<trigger id>")
      .argument("[parked id...]")
      .option("--all", "all that are parked", false)
      .option("--reason <text>", "kept in the audit", "")
      .addHelpText("after", example(`sidestep trigger ${name} ${someTrigger} --all`));
  which("retry", "take parked messages as if they came now; exit code 1 when one still can't be")
    .addOption(outputOption())
    .action(async (id: string, ids: readonly string[], given: WhichOptions & { readonly output: "table" | "json" }) =>
      (await import("./triggerParked.ts")).retryParked(id, ids, given, terminal),
    );
  which("drop", "throw parked messages away").action(async (id: string, ids: readonly string[], given: WhichOptions) =>
    (await import("./triggerParked.ts")).dropParked(id, ids, given, terminal),
  );
}
