import { styleText } from "node:util";
import { toned } from "../terminal.ts";
import type { Terminal, Tone } from "../terminal.ts";

/** Where everybody's lines go, one below the other. */
export interface Screen {
  /** What dev itself has to say. */
  say(text: string): void;
  /** A line of a program, behind its name in its colour. */
  line(name: string, text: string): void;
  /** The outcome of a build: on a terminal it takes the place of the last one, if nothing was written since. */
  outcome(text: string): void;
  tone(text: string, tone: Tone): string;
}

const colors = ["cyan", "magenta", "blue", "yellow", "green", "cyanBright", "magentaBright", "blueBright"] as const;
const nameWidthMin = 12;
const escape = String.fromCharCode(27);

/** Writes to the terminal's stdout. */
export function openScreen({ out, screen, colors: { out: isColored } }: Terminal): Screen {
  const known: string[] = [];
  /** Rows of the last outcome, while nothing stands below it. */
  let rows = 0;
  const write = (text: string): void => {
    rows = 0;
    out(`${text}\n`);
  };
  const named = (name: string): string => {
    if (!known.includes(name)) known.push(name);
    const padded = name.padEnd(Math.max(nameWidthMin, ...known.map((one) => one.length)));
    const color = colors[known.indexOf(name) % colors.length] ?? "cyan";
    return isColored ? styleText(color, `${padded} │`, { validateStream: false }) : `${padded} │`;
  };
  return {
    say: write,
    line: (name, text) => write(`${named(name)} ${text}`),
    outcome: (text) => {
      const size = screen?.();
      if (size !== undefined && rows > 0 && rows < size.rows) out(`${escape}[${rows}A${escape}[J`);
      write(text);
      if (size !== undefined) rows = rowsOf(text, size.columns);
    },
    tone: (text, tone) => toned(text, tone, isColored),
  };
}

/** How many rows a text takes, with lines that are longer than one. */
function rowsOf(text: string, columns: number): number {
  const escapes = new RegExp(`${escape}\\[[\\d;]*m`, "g");
  const lengths = text.split("\n").map((line) => line.replaceAll(escapes, "").length);
  return lengths.reduce((sum, length) => sum + Math.max(1, Math.ceil(length / Math.max(1, columns))), 0);
}
