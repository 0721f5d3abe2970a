/** What became of the texts given for one setting: a value, or half a sentence that says what was expected. */
export type Read<V> =
  | { readonly kind: "value"; readonly value: V }
  | { readonly kind: "problem"; readonly expected: string };

/** One setting of a program: its four spellings, its meaning, its default. The key in the table is its name in a file. */
export interface Setting<V> {
  /** "admin-port", given as --admin-port. */
  readonly flag: string;
  /** "SIDESTEP_ADMIN_PORT". */
  readonly env: string;
  /** Shown in help: "<port>"; empty for a switch. */
  readonly placeholder: string;
  /** One sentence of the manual. */
  readonly doc: string;
  /** As a user would write it; empty when there is none. */
  readonly defaultText: string;
  readonly isRepeatable: boolean;
  readonly isRequired: boolean;
  /** Not shown anywhere, only that it is set. */
  readonly isSecret: boolean;
  /** Reads what was given, in order; never called without a text. */
  readonly read: (texts: readonly string[]) => Read<V>;
  /** The value when nothing was given. */
  readonly absent: V;
}

/** The settings of a program by their names in a file. */
export type SettingTable = Readonly<Record<string, Setting<unknown>>>;

/** The values that a table describes. */
export type Values<T extends SettingTable> = { readonly [K in keyof T]: T[K] extends Setting<infer V> ? V : never };

/** What every kind of setting is told. */
export type SettingText = {
  readonly flag: string;
  readonly doc: string;
  /** SIDESTEP_ and the flag, unless another name is known everywhere (NATS_URL). */
  readonly env?: string;
  readonly placeholder?: string;
  readonly isSecret?: boolean;
};

/** A text that may be absent. */
export function text(about: SettingText): Setting<string | undefined> {
  return make(about, "<text>", undefined, "", (given) => value(given));
}

/** A text with a default. */
export function textOr(about: SettingText, fallback: string): Setting<string> {
  return make(about, "<text>", fallback, fallback, (given) => value(given));
}

/** A text of a certain form, with a default. */
export function textLike(about: SettingText, fallback: string, form: RegExp, expected: string): Setting<string> {
  return make(about, "<text>", fallback, fallback, (given) =>
    form.test(given) ? value(given) : { kind: "problem", expected },
  );
}

/** A text that must be given. */
export function requiredText(about: SettingText): Setting<string> {
  return { ...make(about, "<text>", "", "", (given) => value(given)), isRequired: true };
}

/** Any number of texts: the flag repeated, or separated by commas in the environment and within a flag. */
export function texts(
  about: SettingText,
  check: (one: string) => string | undefined = () => undefined,
): Setting<readonly string[]> {
  const read = (given: readonly string[]): Read<readonly string[]> => {
    const all = given
      .flatMap((one) => one.split(","))
      .map((one) => one.trim())
      .filter((one) => one !== "");
    for (const one of all) {
      const expected = check(one);
      if (expected !== undefined) return { kind: "problem", expected };
    }
    return { kind: "value", value: all };
  };
  return { ...make(about, "<text>", [], "", () => value([])), isRepeatable: true, read };
}

/** Texts of which at least one must be given. */
export function requiredTexts(
  about: SettingText,
  check?: (one: string) => string | undefined,
): Setting<readonly string[]> {
  return { ...texts(about, check), isRequired: true };
}

/** A whole number within bounds. */
export function integer(
  about: SettingText,
  fallback: number,
  bounds: { readonly min: number; readonly max: number },
): Setting<number> {
  const expected = `a whole number from ${bounds.min} to ${bounds.max}`;
  return make(about, "<n>", fallback, String(fallback), (given) => {
    const number = /^-?\d{1,15}$/.test(given) ? Number(given) : Number.NaN;
    return number >= bounds.min && number <= bounds.max ? value(number) : { kind: "problem", expected };
  });
}

/** A TCP port; 0 lets the system choose. `fallbackText` says more than the number where the default does more. */
export function port(about: SettingText, fallback: number, fallbackText = String(fallback)): Setting<number> {
  return {
    ...integer({ placeholder: "<port>", ...about }, fallback, { min: 0, max: 65_535 }),
    defaultText: fallbackText,
  };
}

/** A port that may be absent. */
export function optionalPort(about: SettingText, absentText: string): Setting<number | undefined> {
  const { read, ...rest } = port(about, 0);
  return { ...rest, read, absent: undefined, defaultText: absentText };
}

/** A duration such as 250ms, 30s, 5m, 12h or 7d; the value is in milliseconds. */
export function duration(
  about: SettingText,
  fallback: string,
  bounds = { min: 0, max: 366 * unitsMs.d },
): Setting<number> {
  const parse = (given: string): number => {
    const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(given);
    const unit = match?.[2];
    return unit === undefined || !isUnit(unit) ? Number.NaN : Number(match?.[1]) * unitsMs[unit];
  };
  return make(about, "<duration>", parse(fallback), fallback, (given) => {
    const ms = parse(given);
    return ms >= bounds.min && ms <= bounds.max
      ? value(ms)
      : { kind: "problem", expected: "a duration such as 250ms, 30s, 5m or 7d" };
  });
}

/** On or off: the flag alone, --no-<flag>, or true/false. */
export function toggle(about: SettingText, fallback: boolean): Setting<boolean> {
  return make(about, "", fallback, String(fallback), (given) => {
    if (["true", "1", "yes", "on"].includes(given)) return value(true);
    if (["false", "0", "no", "off"].includes(given)) return value(false);
    return { kind: "problem", expected: "true or false" };
  });
}

/** One of a few words. */
export function choice<V extends string>(about: SettingText, fallback: V, words: readonly V[]): Setting<V> {
  return make(about, `<${words.join("|")}>`, fallback, fallback, (given) => {
    const found = words.find((word) => word === given);
    return found === undefined ? { kind: "problem", expected: `one of ${words.join(", ")}` } : value(found);
  });
}

const unitsMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function isUnit(unit: string): unit is keyof typeof unitsMs {
  return Object.hasOwn(unitsMs, unit);
}

function value<V>(found: V): Read<V> {
  return { kind: "value", value: found };
}

function make<V>(
  about: SettingText,
  placeholder: string,
  absent: V,
  defaultText: string,
  readOne: (given: string) => Read<V>,
): Setting<V> {
  return {
    flag: about.flag,
    env: about.env ?? `SIDESTEP_${about.flag.toUpperCase().replaceAll("-", "_")}`,
    placeholder: about.placeholder ?? placeholder,
    doc: about.doc,
    defaultText,
    isRepeatable: false,
    isRequired: false,
    isSecret: about.isSecret ?? false,
    read: (given) => readOne(given.at(-1) ?? ""),
    absent,
  };
}
