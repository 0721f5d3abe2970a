import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { CliFailure, exit } from "./failure.ts";
import type { Terminal } from "./terminal.ts";

/** An orchestrator and what opens its door, under a name. Files are named, their content is not kept. */
export interface Context {
  readonly address: string;
  readonly tokenFile?: string;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
}

/** All contexts of a person. */
export interface Contexts {
  /** The one that holds when a command names none; undefined: none does. */
  readonly current?: string | undefined;
  readonly contexts: Readonly<Record<string, Context>>;
}

const fields = ["address", "tokenFile", "tlsCa", "tlsCert", "tlsKey"] as const;

/** Where they are kept: $XDG_CONFIG_HOME or ~/.config, sidestep/contexts.json. */
export function contextsFile(environment: Terminal["environment"]): string {
  const home = environment["HOME"] ?? os.homedir();
  const base = environment["XDG_CONFIG_HOME"] ?? "";
  return path.join(base === "" ? path.join(home, ".config") : base, "sidestep", "contexts.json");
}

/** Reads the file; none: no contexts. Throws CliFailure for one that is none of ours. */
export function readContexts(file: string): Contexts {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return { contexts: {} };
    throw new CliFailure(exit.error, "the contexts can't be read", file, "make the file readable", error);
  }
  const parsed = parseContexts(text);
  if (parsed === undefined)
    throw new CliFailure(exit.error, "this is no file of contexts", file, "mend it, or remove it and add them again");
  return parsed;
}

/**
 * Replaces the file whole, readable by its owner alone, with what `change` makes of it; no other command changes it in between. What had it locked and died
 * holds nobody up. Throws CliFailure when another command does not let it go.
 */
export async function changeContexts(
  file: string,
  terminal: Pick<Terminal, "err">,
  change: (before: Contexts) => Contexts,
): Promise<void> {
  const { whileLocked } = await import("./contextsLock.ts");
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const replace = (): void => {
    const after = change(readContexts(file));
    const written = `${file}.${process.pid}`;
    writeFileSync(written, `${JSON.stringify(after, undefined, 2)}\n`, { mode: 0o600 });
    chmodSync(written, 0o600);
    renameSync(written, file);
  };
  const onWait = (): void => terminal.err("another command is changing the contexts; this one waits for it\n");
  if (whileLocked(`${file}.lock`, replace, onWait) === "done") return;
  throw new CliFailure(exit.error, "another command keeps the contexts to itself", file, "end it, and try again");
}

/** The context of a name, or the current one; undefined: none is named and none is current. Throws CliFailure for a name that is not there. */
export function contextOf(
  { contexts, current }: Contexts,
  name: string | undefined,
  file: string,
): Context | undefined {
  const wanted = name ?? current;
  if (wanted === undefined) return undefined;
  const found = Object.hasOwn(contexts, wanted) ? contexts[wanted] : undefined;
  if (found !== undefined) return found;
  const next = `sidestep context list; sidestep context add ${wanted} --address <host:port>`;
  throw new CliFailure(exit.usage, `there is no context ${JSON.stringify(wanted)}`, file, next);
}

function parseContexts(text: string): Contexts | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(json) || !isRecord(json["contexts"])) return undefined;
  const { current } = json;
  if (current !== undefined && typeof current !== "string") return undefined;
  const contexts: Record<string, Context> = {};
  for (const [name, given] of Object.entries(json["contexts"])) {
    const context = isRecord(given) ? parseContext(given) : undefined;
    if (context === undefined) return undefined;
    contexts[name] = context;
  }
  return { current, contexts };
}

function parseContext(given: Readonly<Record<string, unknown>>): Context | undefined {
  const address = given["address"];
  if (typeof address !== "string") return undefined;
  const context: Record<string, string> = {};
  for (const field of fields) {
    const value = given[field];
    if (typeof value === "string") context[field] = value;
    else if (value !== undefined) return undefined;
  }
  return { ...context, address };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
