const unitMs: ReadonlyMap<string, number> = new Map([
  ["H", 3_600_000],
  ["M", 60_000],
  ["S", 1_000],
  ["m", 1],
  ["u", 0.001],
  ["n", 0.000_001],
]);

/** What a grpc-timeout header gives a call, in milliseconds and at least 1; undefined: it is malformed. */
export function parseCallTimeout(text: string): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(text);
  const unit = unitMs.get(match?.[2] ?? "");
  return unit === undefined ? undefined : Math.max(1, Math.floor(Number(match?.[1]) * unit));
}
