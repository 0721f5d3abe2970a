/** A stretch of the timeline: time that is shown as long as it was, or folded to a mark. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  readonly isFolded: boolean;
  /** Where it is drawn, as parts of the whole width. */
  readonly start: number;
  readonly end: number;
}

/** Places on a timeline for points in time. */
export interface Timescale {
  readonly stretches: readonly Stretch[];
  /** 0 at the left edge, 1 at the right one; what lies outside is at the edge. */
  readonly place: (at: number) => number;
}

const foldedWidth = 0.06;
const foldFromMs = 2_000;
/** A gap is idle time when it is longer than this part of all that is not folded. */
const foldFromPart = 0.25;

/** A scale on which long times without an event are folded, so that what happened stays legible. */
export function timescale(points: readonly number[], from: number, to: number, folds: boolean): Timescale {
  const sorted = [...new Set([from, ...points.filter((at) => at > from && at < to), to])].toSorted((a, b) => a - b);
  const gaps = sorted.slice(1).map((end, at) => ({ from: sorted[at] ?? from, to: end }));
  const folded = folds ? idleGaps(gaps) : new Set<Gap>();
  const open = gaps.filter((gap) => !folded.has(gap)).reduce((sum, gap) => sum + length(gap), 0);
  const room = Math.max(0.2, 1 - folded.size * foldedWidth);
  const foldWidth = folded.size === 0 ? 0 : (1 - room) / folded.size;
  const stretches: Stretch[] = [];
  let start = 0;
  for (const gap of gaps) {
    const isFolded = folded.has(gap);
    const width = isFolded ? (open === 0 ? 1 / folded.size : foldWidth) : open === 0 ? 0 : (length(gap) / open) * room;
    const last = stretches.at(-1);
    if (last !== undefined && !last.isFolded && !isFolded)
      stretches[stretches.length - 1] = { ...last, to: gap.to, end: start + width };
    else stretches.push({ ...gap, isFolded, start, end: start + width });
    start += width;
  }
  return { stretches, place: (at) => placeOn(stretches, at) };
}

interface Gap {
  readonly from: number;
  readonly to: number;
}

function length({ from, to }: Gap): number {
  return to - from;
}

/** Folding one long gap may make another one long beside what is left. */
function idleGaps(gaps: readonly Gap[]): ReadonlySet<Gap> {
  const folded = new Set<Gap>();
  if (gaps.length < 2) return folded;
  for (;;) {
    const open = gaps.filter((gap) => !folded.has(gap));
    const total = open.reduce((sum, gap) => sum + length(gap), 0);
    const longest = open.toSorted((a, b) => length(b) - length(a))[0];
    if (
      longest === undefined ||
      open.length < 2 ||
      length(longest) < foldFromMs ||
      length(longest) < total * foldFromPart
    )
      return folded;
    if (folded.size >= 10) return folded;
    folded.add(longest);
  }
}

function placeOn(stretches: readonly Stretch[], at: number): number {
  const [first] = stretches;
  if (first === undefined || at <= first.from) return 0;
  for (const stretch of stretches) {
    if (at > stretch.to) continue;
    const whole = stretch.to - stretch.from;
    return Math.min(1, stretch.start + (whole === 0 ? 0 : (at - stretch.from) / whole) * (stretch.end - stretch.start));
  }
  return 1;
}
