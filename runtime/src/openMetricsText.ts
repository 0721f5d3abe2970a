/** A measurement that stands for others of its bucket, and the trace that it was made in. */
export interface Exemplar {
  readonly traceId: string;
  readonly value: number;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

/** The exemplar of one bucket: `name` as in the text, `labels` without that of the bucket; undefined: there is none. */
export type FindExemplar = (
  name: string,
  labels: Readonly<Record<string, string>>,
  bucket: string,
) => Exemplar | undefined;

/** Prometheus' text form as OpenMetrics 1.0: counters lose their suffix where they are described, buckets get their exemplars. */
export function openMetricsText(text: string, exemplarOf: FindExemplar): string {
  const lines = text.split("\n").filter((line) => line !== "");
  const counters = new Set(lines.flatMap((line) => /^# TYPE (\w+_total) counter$/.exec(line)?.[1] ?? []));
  const written = lines.map((line) => (line.startsWith("#") ? described(line, counters) : measured(line, exemplarOf)));
  return `${written.join("\n")}\n# EOF\n`;
}

function described(line: string, counters: ReadonlySet<string>): string {
  const [, what = "", name = "", rest = ""] = /^# (HELP|TYPE) (\w+) (.*)$/.exec(line) ?? [];
  return counters.has(name) ? `# ${what} ${name.slice(0, -"_total".length)} ${rest}` : line;
}

function measured(line: string, exemplarOf: FindExemplar): string {
  const [, name, labelsText = ""] = /^(\w+)_bucket\{(.*)\} \S+$/.exec(line) ?? [];
  if (name === undefined) return line;
  const { le = "", ...labels } = parseLabels(labelsText);
  const exemplar = exemplarOf(name, labels, le);
  if (exemplar === undefined) return line;
  const { traceId, value, atMs } = exemplar;
  return `${line} # {trace_id="${traceId}"} ${value} ${atMs / 1000}`;
}

function parseLabels(text: string): Record<string, string> {
  const pairs = [...text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(
    ([, name = "", value = ""]) => [name, value.replaceAll(/\\(.)/g, unescaped)] as const,
  );
  return Object.fromEntries(pairs.filter(([name]) => !name.startsWith("otel_scope_")));
}

function unescaped(_: string, character: string): string {
  return character === "n" ? "\n" : character;
}
