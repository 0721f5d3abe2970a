import type { Argument, Command, Option } from "commander";

/** One word that may stand there, with what it means. */
export interface Candidate {
  readonly word: string;
  readonly about: string;
}

/** What only an orchestrator, the configuration or the shell can list. */
export type Listed =
  | "runs"
  | "workflows"
  | "bulks"
  | "contexts"
  | "services"
  | "sidecars"
  | "schedules"
  | "triggers"
  | "files"
  | "folders";

/** What the shell does not list itself. */
export type LookedUp = Exclude<Listed, "files" | "folders">;

/** What may stand where the cursor is: words that are known here, and what has to be looked up. */
export interface Completion {
  readonly candidates: readonly Candidate[];
  readonly listed?: Listed | undefined;
  /** The command whose words these are, and the options given so far: where and as whom to look up. */
  readonly options: Readonly<Record<string, string>>;
}

/** Arguments and values of options that can be looked up, by how the help names them. */
const listedNames: Readonly<Record<string, Listed>> = {
  "run id": "runs",
  workflow: "workflows",
  "bulk id": "bulks",
  context: "contexts",
  service: "services",
  "sidecar id": "sidecars",
  "schedule id": "schedules",
  "trigger id": "triggers",
  folder: "folders",
  file: "files",
};

/** Words for the last of `words`, which may be empty or half written; `words` are those behind `sidestep`. */
export function complete(program: Command, words: readonly string[]): Completion {
  const last = words.at(-1) ?? "";
  const options: Record<string, string> = {};
  let command = program;
  let argument = 0;
  let open: Option | undefined;
  for (const word of words.slice(0, -1)) {
    if (open !== undefined) {
      options[open.attributeName()] = word;
      if (!open.variadic) open = undefined;
    } else if (word.startsWith("-")) {
      const [flag, value] = split(word);
      const option = optionOf(command, flag);
      if (option === undefined || !takesValue(option)) continue;
      if (value === undefined) open = option;
      else options[option.attributeName()] = value;
    } else {
      const below = command.commands.find((one) => one.name() === word);
      if (below === undefined) argument += 1;
      else command = below;
    }
  }
  const [flag = "", value] = last.startsWith("--") ? split(last) : [];
  const attached = value === undefined ? undefined : optionOf(command, flag);
  if (attached !== undefined) return within(valuesOf(attached), value ?? "", options, `${flag}=`);
  if (open !== undefined && !(open.variadic && last.startsWith("-"))) return within(valuesOf(open), last, options);
  if (last.startsWith("-")) return within({ candidates: optionsOf(command) }, last, options);
  if (command.commands.length > 0) return within({ candidates: commandsOf(command) }, last, options);
  const wanted = argumentOf(command, argument);
  return within(wanted === undefined ? { candidates: [] } : valuesOf(wanted), last, options);
}

type Values = Pick<Completion, "candidates" | "listed">;

function within(
  { candidates, listed }: Values,
  start: string,
  options: Completion["options"],
  before = "",
): Completion {
  const fitting = candidates.filter(({ word }) => word.startsWith(start));
  return { candidates: fitting.map(({ word, about }) => ({ word: `${before}${word}`, about })), listed, options };
}

function split(word: string): readonly [flag: string, value?: string] {
  const at = word.indexOf("=");
  return at < 0 ? [word] : [word.slice(0, at), word.slice(at + 1)];
}

function optionOf(command: Command, flag: string): Option | undefined {
  return command.options.find(({ long, short }) => flag === long || flag === short);
}

function takesValue({ required, optional }: Option): boolean {
  return required || optional;
}

function commandsOf(command: Command): readonly Candidate[] {
  const shown = command.createHelp().visibleCommands(command);
  return shown.map((one) => ({ word: one.name(), about: one.description() }));
}

function optionsOf(command: Command): readonly Candidate[] {
  const shown = command.createHelp().visibleOptions(command);
  return shown.map(({ long, short, description }) => ({ word: long ?? short ?? "", about: description }));
}

/** The last argument takes what is behind it when it may come again. */
function argumentOf(command: Command, position: number): Argument | undefined {
  const all = command.registeredArguments;
  const last = all.at(-1);
  return all[position] ?? (last?.variadic === true ? last : undefined);
}

function valuesOf(of: Option | Argument): Values {
  if (of.argChoices !== undefined) return { candidates: of.argChoices.map((word) => ({ word, about: "" })) };
  return { candidates: [], listed: listedNames[nameOf(of)] };
}

/** What stands between the brackets: "run id" of `<run id>`, "file" of `--file <file>`. */
function nameOf(of: Option | Argument): string {
  if (!("flags" in of)) return of.name();
  return /[<[]([^\]>.]+)/.exec(of.flags)?.[1] ?? "";
}
