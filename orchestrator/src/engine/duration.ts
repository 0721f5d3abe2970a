const millisecondsOf = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
] as const;

/** The shortest exact spelling: "7d", "90s", "1500ms". */
export function showDuration(ms: number): string {
  for (const [unit, size] of millisecondsOf) {
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}
