import type { Tone } from "../terminal.ts";
import { toned } from "../terminal.ts";

/** What one check came to. "bad" keeps runs from going on; "notice" is worth knowing. */
export interface Finding {
  readonly state: "ok" | "notice" | "bad";
  /** What was looked at: "nats", "index". */
  readonly about: string;
  readonly told: string;
  /** What to do; empty when nothing has to be done. */
  readonly next: string;
}

/** All is well. */
export function ok(about: string, told: string): Finding {
  return { state: "ok", about, told, next: "" };
}

/** Worth knowing; runs go on. */
export function notice(about: string, told: string, next = ""): Finding {
  return { state: "notice", about, told, next };
}

/** Runs do not go on until somebody does what `next` says. */
export function bad(about: string, told: string, next: string): Finding {
  return { state: "bad", about, told, next };
}

const tones: Readonly<Record<Finding["state"], Tone>> = { ok: "good", notice: "waiting", bad: "bad" };

/** A finding as a line, and a second one that says what to do. */
export function findingText({ state, about, told, next }: Finding, isColored: boolean): string {
  const line = `${toned(state.padEnd(6), tones[state], isColored)}  ${about.padEnd(12)}  ${told}\n`;
  return next === "" ? line : `${line}${" ".repeat(22)}${toned(`→ ${next}`, "quiet", isColored)}\n`;
}
