import { showDuration } from "../engine/duration.ts";

const millisecondsOf: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

/** A duration in milliseconds, or why a text is none. */
export type ParsedDuration =
  | { readonly kind: "ok"; readonly ms: number }
  | { readonly kind: "wrong"; readonly message: string; readonly hint: string };

const forms = 'write it like "300ms", "5s", "10m", "24h", "7d" or "1h30m"';

/** Reads "300ms", "1.5s", "10m", "24h", "7d", "1h30m"; at least 1 ms and at most `maxMs`. */
export function parseDuration(text: string, maxMs: number): ParsedDuration {
  if (!/^([0-9]{1,15}(\.[0-9]{1,9})?(ms|s|m|h|d))+$/.test(text)) {
    return { kind: "wrong", message: `'${shorten(text)}' is not a duration`, hint: hintFor(text) };
  }
  let ms = 0;
  let above = Number.POSITIVE_INFINITY;
  for (const [, number, unit] of text.matchAll(/([0-9.]+)(ms|s|m|h|d)/g)) {
    const size = millisecondsOf.get(unit ?? "") ?? 0;
    if (size >= above)
      return { kind: "wrong", message: `'${text}' is not a duration`, hint: "larger units come first, each once" };
    above = size;
    ms += Number(number) * size;
  }
  if (ms < 1) return { kind: "wrong", message: `'${text}' is too short`, hint: "the shortest duration is 1ms" };
  if (ms > maxMs) {
    return { kind: "wrong", message: `'${text}' is too long`, hint: `the longest duration is ${showDuration(maxMs)}` };
  }
  return { kind: "ok", ms };
}

function hintFor(text: string): string {
  if (/^[0-9.]+$/.test(text)) return `add a unit: "${text}s"`;
  if (text.startsWith("-")) return "durations are positive";
  const word = /^([0-9.]+) *(milli(?:second)?s?|sec(?:ond)?s?|min(?:ute)?s?|hours?|hrs?|days?|weeks?|w)$/i.exec(text);
  if (word === null) return forms;
  const [, number = "", unit = ""] = word;
  const first = unit.toLowerCase();
  if (first.startsWith("w")) return `write "${Number(number) * 7}d"`;
  return `write "${number}${first.startsWith("mil") ? "ms" : first.slice(0, 1)}"`;
}

function shorten(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 37)}...`;
}
