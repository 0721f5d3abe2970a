import type { Setting, SettingTable, Values } from "./setting.ts";

/** Where settings come from; the strongest first: flags, environment, file, defaults. */
export type Sources = {
  /** The command line without program and script. */
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Reads the file named by --config; throws when it can't. */
  readonly readFile: (path: string) => string;
};

/** A complete configuration, or every problem at once, or a wish for the manual. */
export type Reading<T extends SettingTable> =
  | { readonly kind: "settings"; readonly settings: Values<T> }
  | { readonly kind: "problems"; readonly problems: readonly string[] }
  | { readonly kind: "help" };

/**
 * Reads a table of settings: flag over environment over file over default. A file is JSON with the table's keys, lists for
 * repeatable ones. Unknown flags and keys are problems; unknown variables are not looked at. An empty variable counts as not set.
 */
export function readConfiguration<T extends SettingTable>(table: T, sources: Sources): Reading<T> {
  const flags = parseFlags(table, sources.args);
  if (flags.isHelp) return { kind: "help" };
  const problems = [...flags.problems];
  const file = readSettingsFile(table, flags.file ?? filled(sources.environment[configFileEnv]), sources, problems);
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(table)) {
    const variable = filled(sources.environment[setting.env]);
    const given =
      named(`--${setting.flag}`, flags.texts.get(key)) ??
      named(setting.env, variable === undefined ? undefined : [variable]) ??
      named(`${key} in the configuration file`, file.get(key));
    if (given === undefined) {
      if (setting.isRequired) problems.push(`--${setting.flag} (or ${setting.env}) is needed: ${setting.doc}`);
      values[key] = setting.absent;
      continue;
    }
    const read = setting.read(given.texts);
    if (read.kind === "value") values[key] = read.value;
    else problems.push(`${given.name} is ${shown(setting, given.texts)}; expected ${read.expected}`);
  }
  return problems.length > 0 ? { kind: "problems", problems } : { kind: "settings", settings: toValues<T>(values) };
}

/** The variable that names the file of settings, beside --config. */
export const configFileEnv = "SIDESTEP_CONFIG";

/** The manual of a program, made from its table. */
export function helpText(usage: string, about: string, table: SettingTable): string {
  const rows = [
    ...Object.values(table).map((setting) => ({ left: spelling(setting), right: explanation(setting) })),
    { left: "--config <file>", right: `Settings as JSON, by the keys of the manual. [${configFileEnv}]` },
    { left: "--help", right: "Shows this." },
  ];
  const width = Math.max(...rows.map((row) => row.left.length));
  const lines = rows.map((row) => `  ${row.left.padEnd(width)}  ${row.right}`);
  return [
    `Usage: ${usage}`,
    "",
    about,
    "",
    "Settings (flag, then [variable]; flag over variable over file over default):",
    ...lines,
    "",
  ].join("\n");
}

/** The same table as Markdown, for docs/configuration.md. */
export function markdownTable(table: SettingTable): string {
  const rows = Object.entries(table).map(([key, setting]) => {
    const fallback = setting.isRequired ? "needed" : setting.defaultText === "" ? "" : `\`${setting.defaultText}\``;
    const flag = `\`${spelling(setting)}\``.replaceAll("|", "\\|");
    return `| ${flag}${setting.isRepeatable ? " …" : ""} | \`${setting.env}\` | \`${key}\` | ${fallback} | ${setting.doc} |`;
  });
  return ["| flag | variable | in a file | default | |", "|---|---|---|---|---|", ...rows, ""].join("\n");
}

function spelling(setting: Setting<unknown>): string {
  return setting.placeholder === "" ? `--${setting.flag}` : `--${setting.flag} ${setting.placeholder}`;
}

function explanation(setting: Setting<unknown>): string {
  const repeat = setting.isRepeatable ? " Repeatable." : "";
  const fallback = setting.isRequired
    ? " Needed."
    : setting.defaultText === ""
      ? ""
      : ` Default ${setting.defaultText}.`;
  return `${setting.doc}${repeat}${fallback} [${setting.env}]`;
}

type Flags = {
  readonly texts: ReadonlyMap<string, readonly string[]>;
  readonly file: string | undefined;
  readonly isHelp: boolean;
  readonly problems: readonly string[];
};

function parseFlags(table: SettingTable, args: readonly string[]): Flags {
  const byFlag = new Map(Object.entries(table).map(([key, setting]) => [setting.flag, { key, setting }]));
  const texts = new Map<string, string[]>();
  const problems: string[] = [];
  let file: string | undefined;
  let isHelp = false;
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    const match = /^--([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(arg);
    const name = match?.[1];
    if (arg === "-h" || name === "help") {
      isHelp = true;
      continue;
    }
    if (name === undefined) {
      problems.push(`"${arg}" is not a flag; expected --<flag> <value>`);
      continue;
    }
    const found = byFlag.get(name);
    const negated = name.startsWith("no-") ? byFlag.get(name.slice(3)) : undefined;
    if (found?.setting.placeholder === "") append(texts, found.key, match?.[2] ?? "true");
    else if (negated?.setting.placeholder === "") append(texts, negated.key, "false");
    else if (found === undefined && name !== "config")
      problems.push(`--${name} is not known${suggestion(name, [...byFlag.keys()])}`);
    else {
      const given = match?.[2] ?? (rest[0]?.startsWith("--") === true ? undefined : rest.shift());
      if (given === undefined) problems.push(`--${name} needs a value`);
      else if (found === undefined) file = given;
      else append(texts, found.key, given);
    }
  }
  return { texts, file, isHelp, problems };
}

function append(into: Map<string, string[]>, key: string, one: string): void {
  const list = into.get(key);
  if (list === undefined) into.set(key, [one]);
  else list.push(one);
}

function suggestion(name: string, known: readonly string[]): string {
  const near = known.find(
    (one) => one.startsWith(name) || name.startsWith(one) || one.replaceAll("-", "") === name.replaceAll("-", ""),
  );
  return near === undefined ? "; --help lists the flags" : `; did you mean --${near}?`;
}

function readSettingsFile(
  table: SettingTable,
  path: string | undefined,
  sources: Sources,
  problems: string[],
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  if (path === undefined) return found;
  let parsed: unknown;
  try {
    parsed = JSON.parse(sources.readFile(path));
  } catch (error) {
    problems.push(
      `the configuration file ${path} can't be read as JSON: ${error instanceof Error ? error.message : String(error)}`,
    );
    return found;
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    problems.push(`the configuration file ${path} must be a JSON object`);
    return found;
  }
  for (const [key, given] of Object.entries(parsed)) {
    if (!Object.hasOwn(table, key))
      problems.push(`${key} in ${path} is not a setting; settings are ${Object.keys(table).join(", ")}`);
    else found.set(key, Array.isArray(given) ? given.map(String) : [String(given)]);
  }
  return found;
}

function named(
  name: string,
  texts: readonly string[] | undefined,
): { readonly name: string; readonly texts: readonly string[] } | undefined {
  return texts === undefined ? undefined : { name, texts };
}

function filled(variable: string | undefined): string | undefined {
  return variable === undefined || variable === "" ? undefined : variable;
}

function shown(setting: Setting<unknown>, given: readonly string[]): string {
  return setting.isSecret ? "set" : given.map((one) => JSON.stringify(one)).join(", ");
}

/** The one place where the table's types are believed: each value came from the `read` of its own setting. */
function toValues<T extends SettingTable>(values: Record<string, unknown>): Values<T> {
  return values as Values<T>;
}
