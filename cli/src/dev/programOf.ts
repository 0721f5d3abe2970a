import { nodeFlags } from "../../../bin/nodeFlags.mjs";

/** How our long-running programs are started as processes of their own. */
export interface OwnPrograms {
  /** Node, and the file that it runs for `sidestep`. */
  readonly node: string;
  readonly entry: string;
}

/** The command line of one of them, with the flags it was measured with. */
export function programOf(
  { node, entry }: OwnPrograms,
  program: "orchestrator" | "sidecar",
  args: readonly string[],
): { readonly command: string; readonly args: readonly string[] } {
  return { command: node, args: [...nodeFlags[program], entry, program, ...args] };
}

/** A line of our programs' logs, as they write them with --log-format json; undefined: it is none. */
export interface LogLine {
  readonly level: string;
  readonly message: string;
  /** What else it says, as a person reads it. */
  readonly fields: string;
}

/** Reads one. */
export function parseLogLine(line: string): LogLine | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    const read: unknown = JSON.parse(line);
    const { level, msg, time: _time, name: _name, ...rest } = Object.fromEntries(Object.entries(read ?? {}));
    if (typeof level !== "string" || typeof msg !== "string") return undefined;
    const fields = Object.entries(rest).map(
      ([key, value]) => `${key}=${typeof value === "string" && /^\S+$/.test(value) ? value : JSON.stringify(value)}`,
    );
    return { level, message: msg, fields: fields.join(" ") };
  } catch {
    return undefined;
  }
}
