import type { Rate } from "../../proto/gen/sidestep/v1/runs.ts";

const unitSeconds = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

/** Reads "10/s", "30/m", "100/h" or "1000/d"; undefined when it is none. */
export function parseRate(text: string): Rate | undefined {
  const [, calls, unit] = /^(\d{1,7})\/([smhd])$/.exec(text) ?? [];
  if (calls === undefined || !isUnit(unit) || Number(calls) === 0) return undefined;
  return { calls: Number(calls), per: { seconds: BigInt(unitSeconds[unit]), nanos: 0 } };
}

/** "10/s", or "-" for none. */
export function rateText(rate: Rate | undefined): string {
  if (rate === undefined) return "-";
  const seconds = Number(rate.per?.seconds ?? 0);
  const unit = Object.entries(unitSeconds).find(([, one]) => one === seconds)?.[0];
  return `${rate.calls}/${unit ?? `${seconds}s`}`;
}

function isUnit(unit: string | undefined): unit is keyof typeof unitSeconds {
  return unit !== undefined && unit in unitSeconds;
}
