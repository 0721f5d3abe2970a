import type { Argument, Command, Option } from "commander";

/** Options of every command that talks to an orchestrator; told once. */
const doorOptions = new Set([
  "--address",
  "--context",
  "--token",
  "--token-file",
  "--tls-ca",
  "--tls-cert",
  "--tls-key",
]);

/** The commands of a tree as Markdown: a list of all, the options that many have, then each with what it takes and an example. */
export function manualText(program: Command, exampleOf: (command: Command) => string): string {
  const leaves = leavesBelow(program);
  const rows = leaves.map(
    (command) => `| [\`${nameOf(command)}\`](#${anchor(command)}) | ${cell(command.description())} |`,
  );
  const door = leaves.find(hasDoor)?.options.filter(isOfDoor) ?? [];
  return [
    "| command | what it does |\n|---|---|",
    ...rows,
    "",
    "### Which orchestrator",
    "",
    "Every command that talks to an orchestrator takes these:",
    "",
    optionTable(door),
    ...leaves.flatMap((command) => ["", sectionOf(command, exampleOf(command))]),
    "",
  ].join("\n");
}

/** Commands that do something, in the order of the help; one with arguments of its own does, whatever is below it. */
export function leavesBelow(command: Command): readonly Command[] {
  // The help also shows a command made up for it, which belongs to nobody.
  const below = command
    .createHelp()
    .visibleCommands(command)
    .filter((one) => one.parent === command && command.commands.includes(one))
    .flatMap(leavesBelow);
  return below.length === 0 || command.registeredArguments.length > 0 ? [command, ...below] : below;
}

/** "sidestep run list". */
export function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

function anchor(command: Command): string {
  return nameOf(command).replaceAll(" ", "-");
}

function sectionOf(command: Command, example: string): string {
  const own = command.options.filter((option) => !option.hidden && !(hasDoor(command) && isOfDoor(option)));
  const usage = [
    nameOf(command),
    ...(hasWays(command)
      ? [command.usage()]
      : [...command.registeredArguments.map(argumentText), ...(own.length > 0 ? ["[options]"] : [])]),
  ];
  const told = command.registeredArguments.filter(({ description }) => description !== "");
  return [
    `### ${nameOf(command)}`,
    "",
    `\`${usage.join(" ")}\`: ${command.description()}.`,
    ...told.map(
      (argument) =>
        `\n\`${argumentText(argument)}\`: ${cell(argument.description)}${defaultText(argument.defaultValue)}.`,
    ),
    ...(own.length > 0 ? ["", optionTable(own)] : []),
    "",
    "```sh",
    example,
    "```",
  ].join("\n");
}

/** It is told in several ways what is meant: its usage has them. */
function hasWays(command: Command): boolean {
  return command.usage().startsWith("(");
}

function hasDoor({ options }: Command): boolean {
  return options.some(({ long }) => long === "--context");
}

function isOfDoor({ long }: Option): boolean {
  return doorOptions.has(long ?? "");
}

function argumentText(argument: Argument): string {
  const name = argument.variadic ? `${argument.name()}...` : argument.name();
  return argument.required ? `<${name}>` : `[${name}]`;
}

function optionTable(options: readonly Option[]): string {
  const rows = options.map((option) => {
    const choices = option.argChoices === undefined ? "" : `: ${option.argChoices.join(", ")}`;
    const env = option.envVar === undefined ? "" : `, or \`${option.envVar}\``;
    const needed = option.mandatory && option.defaultValue === undefined ? "; needed" : "";
    return `| \`${option.flags.replaceAll("|", "\\|")}\`${env} | ${cell(option.description)}${choices}${defaultText(option.defaultValue)}${needed} |`;
  });
  return ["| option | means |\n|---|---|", ...rows].join("\n");
}

function defaultText(value: unknown): string {
  if (typeof value !== "string" && typeof value !== "number") return "";
  return value === "" ? "" : `; \`${value}\` unless given`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
