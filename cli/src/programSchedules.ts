import { InvalidArgumentError, Option } from "commander";
import type { Command } from "commander";
import type { Timestamp } from "../../proto/gen/google/protobuf/timestamp.ts";
import { example, listOption, outputOption, shownOption, workflowName } from "./flags.ts";
import type { ListForm, ShownForm } from "./listForm.ts";
import type { CreateOptions, Overlap } from "./scheduleCreate.ts";
import type { Terminal } from "./terminal.ts";

interface Given {
  readonly address: string;
  readonly reason: string;
}

const someSchedule = "shop.v1.StockWorkflow/Count/nightly";
const overlaps: readonly Overlap[] = ["skip", "buffer-one", "allow", "cancel-other"];

/** `schedule create` and its kin. */
export function addSchedules(program: Command, terminal: Terminal, withAddress: (command: Command) => Command): void {
  const schedule = program.command("schedule").description("runs that are started at nominal times");
  addCreate(schedule, terminal, withAddress);
  withAddress(schedule.command("list"))
    .description("list schedules: those of contracts, and those made by request")
    .addOption(listOption())
    .addHelpText("after", example("sidestep schedule list"))
    .action(async (given: { readonly address: string; readonly output: ListForm }) =>
      (await import("./scheduleList.ts")).listSchedules(given, terminal),
    );
  withAddress(schedule.command("describe"))
    .description("show a schedule: its times, the next of them, and what came of the last")
    .argument("<schedule id>")
    .addOption(shownOption())
    .addHelpText("after", example(`sidestep schedule describe ${someSchedule}`))
    .action(async (id: string, given: { readonly address: string; readonly output: ShownForm }) =>
      (await import("./scheduleList.ts")).describeSchedule(id, given, terminal),
    );
  addChanges(schedule, terminal, withAddress);
}

function addCreate(schedule: Command, terminal: Terminal, withAddress: (command: Command) => Command): void {
  withAddress(schedule.command("create"))
    .description("make a schedule outside of a contract")
    .argument("<id>", "small letters, digits, '-' and '_'")
    .requiredOption("--workflow <workflow>", "package.Service/Method", workflowName)
    .option("--cron <line>", 'minute, hour, day of the month, month, day of the week: "30 2 * * mon-fri"', "")
    .option("--time-zone <name>", "IANA zone of the line; UTC unless given", "")
    .option("--every <duration>", "instead of a line: 90s, 15m, 1h30m", "")
    .option("--phase <duration>", "puts all times of --every off", "")
    .addOption(
      new Option("--overlap <policy>", "when the run before goes on")
        .choices(overlaps)
        .default("skip" satisfies Overlap),
    )
    .option("--catch-up <duration>", "how far back missed starts are made up for; 1h unless given", "")
    .option("--jitter <duration>", "each start is put off by up to this", "")
    .option("-d, --request <json>", "the request of each run as JSON, @file, or - for stdin")
    .option("--paused", "make it paused", false)
    .option("--reason <text>", "kept in the audit", "")
    .addOption(outputOption())
    .addHelpText(
      "after",
      example(
        `sidestep schedule create count-berlin --workflow shop.v1.StockWorkflow/Count --cron "30 2 * * *" --time-zone Europe/Berlin`,
      ),
    )
    .action(async (id: string, given: Omit<CreateOptions, "id">) =>
      (await import("./scheduleCreate.ts")).createSchedule({ ...given, id }, terminal),
    );
}

function addChanges(schedule: Command, terminal: Terminal, withAddress: (command: Command) => Command): void {
  const change = (name: string, does: string, more = ""): Command =>
    withAddress(schedule.command(name))
      .description(does)
      .argument("<schedule id>")
      .option("--reason <text>", "kept in the audit", "")
      .addHelpText("after", example(`sidestep schedule ${name} ${someSchedule}${more}`));
  change("pause", "look at no nominal time until it is resumed", ' --reason "stocktaking"').action(
    async (id: string, given: Given) => (await import("./scheduleChange.ts")).pauseSchedule(id, given, terminal),
  );
  change("resume", "go on with the next nominal time").action(async (id: string, given: Given) =>
    (await import("./scheduleChange.ts")).resumeSchedule(id, given, terminal),
  );
  change("trigger", "start a run now, and print its id").action(async (id: string, given: Given) =>
    (await import("./scheduleChange.ts")).triggerSchedule(id, given, terminal),
  );
  change("backfill", "start runs for nominal times of the past that have none", " --from 2026-11-01 --to 2026-11-08")
    .requiredOption(
      "--from <time>",
      "the first nominal time is not before it: 2026-11-01 or 2026-11-01T02:30:00+01:00",
      time,
    )
    .requiredOption("--to <time>", "the last is before it", time)
    .action(async (id: string, given: Given & { readonly from: Timestamp; readonly to: Timestamp }) =>
      (await import("./scheduleChange.ts")).backfillSchedule(id, given, terminal),
    );
  change("delete", "forget a schedule that was made by request; its runs go on").action(
    async (id: string, given: Given) => (await import("./scheduleChange.ts")).deleteSchedule(id, given, terminal),
  );
}

/** A moment; without a zone it is meant in UTC. */
function time(text: string): Timestamp {
  const form = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/.exec(text);
  const ms = form === null ? Number.NaN : Date.parse(text.includes("T") && form[1] === undefined ? `${text}Z` : text);
  if (Number.isNaN(ms)) throw new InvalidArgumentError("Expected a time such as 2026-11-01 or 2026-11-01T02:30:00Z.");
  return { seconds: BigInt(Math.floor(ms / 1000)), nanos: (((ms % 1000) + 1000) % 1000) * 1_000_000 };
}
