const unitNanos: ReadonlyMap<string, bigint> = new Map([
  ["ns", 1n],
  ["us", 1_000n],
  ["µs", 1_000n],
  ["μs", 1_000n],
  ["ms", 1_000_000n],
  ["s", 1_000_000_000n],
  ["m", 60_000_000_000n],
  ["h", 3_600_000_000_000n],
  ["d", 86_400_000_000_000n],
]);

const nanosMax = 0x7fff_ffff_ffff_ffffn;
const textMax = 128;

/** Nanoseconds of "300ms", "-1.5h", "2h45m", "7d" or "0": CEL's durations and days. Throws on anything else and beyond 292 years. */
export function parseDuration(text: string): bigint {
  const wrong = new Error(`${JSON.stringify(text)} is no duration: "300ms", "1.5h", "7d" are`);
  const body = /^[+-]?(.*)$/s.exec(text)?.[1] ?? "";
  if (body === "0") return 0n;
  if (text.length > textMax || !/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h|d))+$/.test(body)) throw wrong;
  let nanos = 0n;
  for (const [, whole = "", fraction = "", unit = ""] of body.matchAll(/(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h|d)/g)) {
    const factor = unitNanos.get(unit) ?? 0n;
    nanos += BigInt(whole === "" ? "0" : whole) * factor;
    if (fraction !== "") nanos += (BigInt(fraction) * factor) / 10n ** BigInt(fraction.length);
  }
  if (nanos > nanosMax) throw new Error(`${JSON.stringify(text)} is longer than 292 years`);
  return text.startsWith("-") ? -nanos : nanos;
}
