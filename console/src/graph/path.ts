import type { Point } from "./drawing.ts";

const radius = 10;

/** The `d` of an SVG path along the points, corners rounded. */
export function pathAlong(points: readonly Point[]): string {
  const [first, ...rest] = points;
  if (first === undefined) return "";
  const parts = [`M${round(first[0])} ${round(first[1])}`];
  for (const [at, [x, y]] of rest.entries()) {
    const before = points[at];
    const after = rest[at + 1];
    if (before === undefined || after === undefined) {
      parts.push(`L${round(x)} ${round(y)}`);
      continue;
    }
    const bend = Math.min(radius, length(before, [x, y]) / 2, length([x, y], after) / 2);
    const [fromX, fromY] = towards([x, y], before, bend);
    const [toX, toY] = towards([x, y], after, bend);
    parts.push(`L${round(fromX)} ${round(fromY)}`, `Q${round(x)} ${round(y)} ${round(toX)} ${round(toY)}`);
  }
  return parts.join("");
}

function length(a: Point, b: Point): number {
  return Math.hypot(b[0] - a[0], b[1] - a[1]);
}

function towards(from: Point, to: Point, distance: number): Point {
  const whole = length(from, to);
  const part = whole === 0 ? 0 : distance / whole;
  return [from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part];
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
