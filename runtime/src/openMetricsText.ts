/** Prometheus' text form as OpenMetrics 1.0 has it: counters lose their suffix where they are described. */
export function openMetricsText(text: string): string {
  const lines = text.split("\n").filter((line) => line !== "");
  const counters = new Set(lines.flatMap((line) => /^# TYPE (\w+_total) counter$/.exec(line)?.[1] ?? []));
  return `${lines.map((line) => described(line, counters)).join("\n")}\n# EOF\n`;
}

function described(line: string, counters: ReadonlySet<string>): string {
  const [, what = "", name = "", rest = ""] = /^# (HELP|TYPE) (\w+) (.*)$/.exec(line) ?? [];
  return counters.has(name) ? `# ${what} ${name.slice(0, -"_total".length)} ${rest}` : line;
}
