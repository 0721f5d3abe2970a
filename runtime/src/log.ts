/** What a log line may carry besides its message; errors are shown with code and causes, undefined is left out. */
export type Fields = Readonly<Record<string, unknown>>;

export const levels = ["debug", "info", "warn", "error"] as const;
export type Level = (typeof levels)[number];

/** Constant messages, variables as fields. error: someone must act; warn: it coped. */
export interface Log {
  /** Whether lines of debug are written: what is in them need not be made otherwise. */
  readonly isDebug: boolean;
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  /** The same log with fields on every line. */
  with(fields: Fields): Log;
}

export type LogOptions = {
  /** Nothing below is written; "info" unless told. */
  readonly level?: Level;
  /** "json" lines for programs, "text" for a person; "auto" is text on a terminal. */
  readonly format?: "auto" | "json" | "text";
  /** Where lines go, each with its line end; stderr unless told. */
  readonly write?: (line: string) => void;
  readonly now?: () => Date;
};

/** The log of a program: one line an entry, {time, level, name, msg, …fields}. */
export function logger(name: string, options: LogOptions = {}): Log {
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const isText =
    options.format === "text" || (options.format !== "json" && options.write === undefined && process.stderr.isTTY);
  const lowest = levels.indexOf(options.level ?? "info");
  const now = options.now ?? (() => new Date());
  const line = isText ? textLine : jsonLine;
  const make = (always: Fields): Log => {
    const at =
      (level: Level) =>
      (message: string, fields: Fields = {}): void => {
        if (levels.indexOf(level) >= lowest) write(line(now(), level, name, message, { ...always, ...fields }));
      };
    return {
      isDebug: lowest === 0,
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      with: (fields) => make({ ...always, ...fields }),
    };
  };
  return make({});
}

/** A log that keeps nothing, for tests. */
export const silentLog: Log = logger("silent", { write: () => undefined });

function jsonLine(time: Date, level: Level, name: string, message: string, fields: Fields): string {
  return `${JSON.stringify({ time: time.toISOString(), level, name, msg: message, ...fields }, plain)}\n`;
}

function textLine(time: Date, level: Level, name: string, message: string, fields: Fields): string {
  const shown = Object.entries(fields)
    .filter(([, field]) => field !== undefined)
    .map(
      ([key, field]) =>
        `${key}=${typeof field === "string" && /^[^\s"=]+$/.test(field) ? field : JSON.stringify(field, plain)}`,
    );
  return `${time.toISOString().slice(11, 23)} ${level.padEnd(5)} ${name}: ${[message, ...shown].join("  ")}\n`;
}

function plain(_key: string, field: unknown): unknown {
  if (typeof field === "bigint") return field.toString();
  return field instanceof Error ? errorText(field) : field;
}

/** An error and what caused it in one line, with codes where there are any. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code =
    "code" in error && (typeof error.code === "string" || typeof error.code === "number") ? ` (${error.code})` : "";
  const own = `${error.message === "" ? error.name : error.message}${code}`;
  return error.cause === undefined ? own : `${own}: ${errorText(error.cause)}`;
}
