import { styleText } from "node:util";

/** What a command reads and writes; the process's own, unless a test hands over others. */
export interface Terminal {
  /** Answers only: what a program would read. */
  readonly out: (text: string) => void;
  /** Progress, hints, errors. */
  readonly err: (text: string) => void;
  /** All of stdin. */
  readonly input: () => Promise<Uint8Array>;
  /** At Ctrl-C the text is written to stderr and the command ends with 130. Returns how to stop that. */
  readonly atInterrupt: (text: string) => () => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What stdout shows now; undefined: it is no terminal. */
  readonly screen?: (() => { readonly columns: number; readonly rows: number }) | undefined;
  /** What stderr shows now; undefined: it is no terminal. */
  readonly errScreen?: (() => { readonly columns: number; readonly rows: number }) | undefined;
  readonly colors: { readonly out: boolean; readonly err: boolean };
}

export type Tone = "good" | "bad" | "waiting" | "quiet" | "plain";

/** The text in its colour, where colours are wanted. Meaning never rests on colour alone. */
export function toned(text: string, tone: Tone, isColored: boolean): string {
  if (!isColored) return text;
  switch (tone) {
    case "good":
      return styleText("green", text, { validateStream: false });
    case "bad":
      return styleText("red", text, { validateStream: false });
    case "waiting":
      return styleText("yellow", text, { validateStream: false });
    case "quiet":
      return styleText("dim", text, { validateStream: false });
    case "plain":
      return text;
  }
}

/** Whether a stream gets colours: NO_COLOR and FORCE_COLOR as everywhere, else when it is a terminal. */
export function wantsColors(environment: Terminal["environment"], isTerminal: boolean): boolean {
  if ((environment["NO_COLOR"] ?? "") !== "") return false;
  const force = environment["FORCE_COLOR"] ?? "";
  return force === "" ? isTerminal : force !== "0";
}
