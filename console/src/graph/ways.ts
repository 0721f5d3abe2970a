import { flow, moved } from "./drawing.ts";
import type { Edge, Piece, Shape } from "./drawing.ts";
import { labelWidth, size } from "./measure.ts";

/** One of several ways side by side. */
export interface Way {
  readonly label: string;
  /** The label is CEL. */
  readonly expression: boolean;
  readonly piece: Piece;
}

/**
 * Ways below the head that they part at, and together again below them. `first`: the first way goes on straight below the head; `centre`: the
 * head stands over the middle of all.
 */
export function sideBySide(head: Piece, ways: readonly Way[], align: "centre" | "first"): Piece {
  const columns = ways.map(toColumn);
  const axes = axesOf(columns, align);
  const top = head.height + 2 * size.bus;
  const tallest = Math.max(0, ...columns.map((column) => column.height));
  const busAbove = head.height + size.bus;
  const busBelow = top + tallest + size.bus;
  const shapes: Shape[] = [...head.shapes];
  const edges: Edge[] = [...head.edges];
  for (const [at, column] of columns.entries()) {
    const x = axes[at] ?? 0;
    const placed = moved(column, x, top);
    shapes.push(...placed.shapes);
    edges.push(
      flow(
        bent([
          [0, head.height],
          [0, busAbove],
          [x, busAbove],
          [x, top],
        ]),
        column.in,
      ),
      ...placed.edges,
    );
    if (column.out === undefined) continue;
    const bottom = top + column.height;
    edges.push(
      flow(
        bent([
          [x, bottom],
          [x, busBelow],
          [0, busBelow],
          [0, busBelow + 1],
        ]),
        column.out,
        false,
      ),
    );
  }
  const open = columns.some(({ out }) => out !== undefined);
  return {
    left: Math.max(head.left, ...columns.map((column, at) => column.left - (axes[at] ?? 0))),
    right: Math.max(head.right, ...columns.map((column, at) => column.right + (axes[at] ?? 0))),
    height: open ? busBelow + 1 : top + tallest,
    shapes,
    edges,
    in: head.in,
    out: open ? head.out : undefined,
  };
}

/** A way with its label above its steps. */
function toColumn({ label, expression, piece }: Way): Piece {
  if (label === "") return piece;
  const width = labelWidth(label);
  const gap = piece.height === 0 ? 0 : 14;
  const placed = moved(piece, 0, size.label + gap);
  return {
    left: Math.max(piece.left, width / 2),
    right: Math.max(piece.right, width / 2),
    height: size.label + gap + piece.height,
    shapes: [
      { kind: "label", text: label, expression, x: -width / 2, y: 0, width, height: size.label },
      ...placed.shapes,
    ],
    edges: [
      ...placed.edges,
      ...(gap === 0
        ? []
        : [
            flow(
              [
                [0, size.label],
                [0, size.label + gap],
              ],
              piece.in,
            ),
          ]),
    ],
    in: piece.in,
    out: piece.out,
  };
}

/** Where each column's axis is, seen from the head's. */
function axesOf(columns: readonly Piece[], align: "centre" | "first"): readonly number[] {
  const axes: number[] = [];
  let edge = 0;
  for (const [at, column] of columns.entries()) {
    const axis = at === 0 ? column.left : edge + size.aisle + column.left;
    axes.push(axis);
    edge = axis + column.right;
  }
  const first = axes[0] ?? 0;
  const last = axes.at(-1) ?? 0;
  const origin = align === "first" ? first : middleOf(axes, (first + last) / 2);
  return axes.map((axis) => axis - origin);
}

/** The middle one's own axis where the number of ways is odd and it is near: a straight line is calmer than a small bend. */
function middleOf(axes: readonly number[], centre: number): number {
  const middle = axes.length % 2 === 1 ? axes[(axes.length - 1) / 2] : undefined;
  return middle !== undefined && Math.abs(middle - centre) < size.card.width / 2 ? middle : centre;
}

/** A line without the corners that are none. */
function bent(points: Edge["points"]): Edge["points"] {
  return points.filter(([x, y], at) => {
    const before = points[at - 1];
    const after = points[at + 1];
    if (before === undefined || after === undefined) return true;
    return !((before[0] === x && x === after[0]) || (before[1] === y && y === after[1]));
  });
}
