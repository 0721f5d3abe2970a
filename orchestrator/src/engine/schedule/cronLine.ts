/** A cron line, read: which minutes, hours, days and months it names, each ascending. */
export interface CronLine {
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** Of the month, from 1. */
  readonly days: readonly number[];
  /** From 1. */
  readonly months: readonly number[];
  /** From 0, Sunday. */
  readonly weekdays: readonly number[];
  /** The hour begins with a star: the line follows the clock through its changes instead of naming times of day. */
  readonly isHourOpen: boolean;
  /** Neither field of a day begins with a star: a day counts that fits one of them; else it has to fit both. */
  readonly fitsEitherDay: boolean;
}

/** A line, or why a text is none; `offset` is where in the text. */
export type ParsedCronLine =
  | { readonly kind: "ok"; readonly line: CronLine }
  | { readonly kind: "wrong"; readonly message: string; readonly hint: string; readonly offset: number };

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** Its values as words, the first standing for `min`. */
  readonly words: readonly string[];
}

const minute: Field = { name: "minute", min: 0, max: 59, words: [] };
const hour: Field = { name: "hour", min: 0, max: 23, words: [] };
const day: Field = { name: "day of the month", min: 1, max: 31, words: [] };
const month: Field = {
  name: "month",
  min: 1,
  max: 12,
  words: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
// 7 is Sunday too.
const weekday: Field = {
  name: "day of the week",
  min: 0,
  max: 7,
  words: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

const lengthMax = 200;
const form = 'minute, hour, day of the month, month, day of the week: "30 2 * * mon-fri"';

const macros: ReadonlyMap<string, string> = new Map([
  ["@yearly", "0 0 1 1 *"],
  ["@annually", "0 0 1 1 *"],
  ["@monthly", "0 0 1 * *"],
  ["@weekly", "0 0 * * 0"],
  ["@daily", "0 0 * * *"],
  ["@midnight", "0 0 * * *"],
  ["@hourly", "0 * * * *"],
]);

/** Reads a line of five fields. One that names no day of any year is wrong too. */
export function parseCronLine(text: string): ParsedCronLine {
  if (text.length > lengthMax) return wrong(`the line has ${text.length} characters, the limit is ${lengthMax}`, form);
  const fields = [...text.matchAll(/[^ \t]+/g)].map((match) => ({ text: match[0], offset: match.index }));
  const [minutes, hours, days, months, weekdays] = fields;
  if (
    minutes === undefined ||
    hours === undefined ||
    days === undefined ||
    months === undefined ||
    weekdays === undefined ||
    fields.length !== 5
  ) {
    return wrong(`'${shorten(text)}' has ${countOf(fields.length)}, a cron line has five`, hintForCount(fields));
  }
  const read = [
    readField(minute, minutes),
    readField(hour, hours),
    readField(day, days),
    readField(month, months),
    readField(weekday, weekdays),
  ] as const;
  for (const found of read) if (found.kind === "wrong") return found;
  const [inMinutes, inHours, inDays, inMonths, inWeek] = read.map((found) => (found.kind === "ok" ? found.values : []));
  const line: CronLine = {
    minutes: inMinutes ?? [],
    hours: inHours ?? [],
    days: inDays ?? [],
    months: inMonths ?? [],
    weekdays: distinct((inWeek ?? []).map((value) => value % 7)),
    isHourOpen: hours.text.startsWith("*"),
    fitsEitherDay: !days.text.startsWith("*") && !weekdays.text.startsWith("*"),
  };
  if (!hasDay(line)) {
    const hint = "no month that it names has a day that it names";
    return wrong(`'${text}' never comes`, hint, days.offset);
  }
  return { kind: "ok", line };
}

type ReadField =
  | { readonly kind: "ok"; readonly values: readonly number[] }
  | Extract<ParsedCronLine, { readonly kind: "wrong" }>;

function readField(field: Field, { text, offset }: { readonly text: string; readonly offset: number }): ReadField {
  const values: number[] = [];
  let at = offset;
  for (const part of text.split(",")) {
    const found = readPart(field, part, at);
    if (found.kind === "wrong") return found;
    values.push(...found.values);
    at += part.length + 1;
  }
  return { kind: "ok", values: distinct(values) };
}

/** "*", "5", "1-5", each with a step behind a slash. */
function readPart(field: Field, part: string, offset: number): ReadField {
  const range = `${field.min} to ${field.max}${field.words.length === 0 ? "" : `, or ${field.words.join(", ")}`}`;
  const match = /^(?:(\*)|([0-9a-z]+)(?:-([0-9a-z]+))?)(?:\/([0-9]{1,4}))?$/i.exec(part);
  if (match === null) return wrong(`'${shorten(part)}' is no ${field.name}`, hintForPart(part, range), offset);
  const [, star, first, last, step] = match;
  const from = star === undefined ? valueOf(field, first ?? "") : field.min;
  if (from === undefined) {
    return wrong(`'${shorten(first ?? "")}' is no ${field.name}`, hintForPart(part, range), offset);
  }
  const isOne = star === undefined && last === undefined && step === undefined;
  const to = last === undefined ? (isOne ? from : field.max) : valueOf(field, last);
  if (to === undefined) {
    const at = offset + part.indexOf("-") + 1;
    return wrong(`'${shorten(last ?? "")}' is no ${field.name}`, range, at);
  }
  if (to < from)
    return wrong(
      `'${part}' ends before it begins`,
      `write it as two: "${first}-${field.max},${field.min}-${last}"`,
      offset,
    );
  const by = step === undefined ? 1 : Number(step);
  if (by < 1 || by > field.max - field.min) {
    const at = offset + part.indexOf("/") + 1;
    return wrong(`${by} is no step of a ${field.name}`, `from 1 to ${field.max - field.min}`, at);
  }
  const values: number[] = [];
  for (let value = from; value <= to; value += by) values.push(value);
  return { kind: "ok", values };
}

function valueOf(field: Field, text: string): number | undefined {
  const word = field.words.indexOf(text.toLowerCase());
  if (word >= 0) return field.min + word;
  if (!/^[0-9]{1,2}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= field.min && value <= field.max ? value : undefined;
}

function hintForCount(fields: readonly { readonly text: string }[]): string {
  const macro = macros.get(fields[0]?.text.toLowerCase() ?? "");
  if (fields.length === 1 && macro !== undefined) return `write "${macro}"`;
  if (fields.length === 6) return 'there are no seconds and no years; shorter intervals are written `every: "10s"`';
  return form;
}

function hintForPart(part: string, range: string): string {
  if (part === "?") return "write * for any";
  if (/[LW#]/.test(part)) return "L, W and # are not known: let the first step, or `when`, look at `now`";
  return `${range}; lists "1,15", ranges "1-5", steps "*/15"`;
}

/** In some year, at least. */
function hasDay({ days, months, fitsEitherDay }: CronLine): boolean {
  if (fitsEitherDay) return true;
  return months.some((one) => days.some((other) => other <= daysOf(one)));
}

function daysOf(number: number): number {
  if (number === 2) return 29;
  return [4, 6, 9, 11].includes(number) ? 30 : 31;
}

function distinct(values: readonly number[]): readonly number[] {
  return [...new Set(values)].toSorted((a, b) => a - b);
}

function countOf(count: number): string {
  return count === 1 ? "one field" : `${count} fields`;
}

function shorten(text: string): string {
  return text.length <= 40 ? text : `${text.slice(0, 37)}...`;
}

function wrong(message: string, hint: string, offset = 0): Extract<ParsedCronLine, { readonly kind: "wrong" }> {
  return { kind: "wrong", message, hint, offset };
}
