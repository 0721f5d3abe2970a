import type { DefinedBlock, DefinedStep } from "./definition.ts";
import { flow, moved } from "./drawing.ts";
import type { Edge, Piece, Shape } from "./drawing.ts";
import { labelWidth, size } from "./measure.ts";

const headWidth = 264;

/** A block around what it holds: passes of a loop with their way back, a try with its catches at the right. */
export function boxed(step: DefinedStep, toSequence: (block: DefinedBlock) => Piece): Piece {
  const inner = step.kind === "try" ? guarded(step, toSequence) : passes(step, toSequence);
  const { padding, head } = size.box;
  const left = Math.max(inner.left + padding, headWidth / 2);
  const right = Math.max(inner.right + padding, headWidth / 2);
  const height = head + padding + inner.height + padding;
  const placed = moved(inner, 0, head + padding);
  const out = { kind: "done", step: step.name } as const;
  return {
    left,
    right,
    height,
    shapes: [{ kind: "box", step, x: -left, y: 0, width: left + right, height }, ...placed.shapes],
    edges: [
      flow(
        [
          [0, head],
          [0, head + padding],
        ],
        inner.in,
      ),
      ...placed.edges,
      ...(inner.out === undefined
        ? []
        : [
            flow(
              [
                [0, height - padding],
                [0, height],
              ],
              inner.out,
              false,
            ),
          ]),
    ],
    in: { kind: "begun", step: step.name },
    out: inner.out === undefined ? undefined : out,
  };
}

/** The body once, with a line back to its top. */
function passes(step: DefinedStep, toSequence: (block: DefinedBlock) => Piece): Piece {
  const [body] = step.blocks;
  const piece = body === undefined ? undefined : toSequence(body);
  if (piece === undefined) {
    const passage = { kind: "completed", step: step.name } as const;
    return { left: 0, right: 0, height: 0, shapes: [], edges: [], in: passage, out: passage };
  }
  if (step.kind === "for_each") return piece;
  const x = -(piece.left + size.back);
  const below = piece.height + size.bus;
  const back: Edge = {
    kind: "back",
    points: [
      [0, below],
      [x, below],
      [x, -size.bus / 2],
      [0, -size.bus / 2],
    ],
    passage: { kind: "never" },
    arrow: true,
  };
  return {
    ...piece,
    left: piece.left + size.back,
    height: below,
    edges: [
      ...piece.edges,
      back,
      flow(
        [
          [0, piece.height],
          [0, below],
        ],
        piece.out ?? { kind: "never" },
        false,
      ),
    ],
  };
}

/** The body, what catches its failures beside it, and what comes in any case below. */
function guarded(step: DefinedStep, toSequence: (block: DefinedBlock) => Piece): Piece {
  const [body, ...others] = step.blocks;
  const main = body === undefined ? undefined : toSequence(body);
  const catches = others.filter(({ role }) => role === "CATCH");
  const last = others.find(({ role }) => role === "FINALLY");
  const shapes: Shape[] = [...(main?.shapes ?? [])];
  const edges: Edge[] = [...(main?.edges ?? [])];
  let right = main?.right ?? 0;
  const height = main?.height ?? 0;
  let bottom = height;
  const joins: { readonly x: number; readonly y: number; readonly piece: Piece }[] = [];
  for (const one of catches) {
    const piece = labelled(`catch ${one.label}`, toSequence(one));
    const x = right + size.aisle + piece.left;
    const placed = moved(piece, x, 0);
    shapes.push(...placed.shapes);
    edges.push(...placed.edges, {
      kind: "catch",
      points: [
        [main?.right ?? 0, size.label / 2],
        [x - labelWidth(`catch ${one.label}`) / 2, size.label / 2],
      ],
      passage: piece.in,
      arrow: true,
    });
    right = x + piece.right;
    bottom = Math.max(bottom, piece.height);
    joins.push({ x, y: piece.height, piece });
  }
  const bus = bottom + size.bus;
  const merging = joins.filter(({ piece }) => piece.out !== undefined);
  const flowsOn = main?.out !== undefined || merging.length > 0;
  const end = merging.length === 0 ? height : bus;
  for (const { x, y, piece } of merging)
    edges.push(
      flow(
        [
          [x, y],
          [x, bus],
          [0, bus],
        ],
        piece.out ?? { kind: "never" },
        false,
      ),
    );
  if (main?.out !== undefined && end > height)
    edges.push(
      flow(
        [
          [0, height],
          [0, end],
        ],
        main.out,
        false,
      ),
    );
  const out = flowsOn ? ({ kind: "completed", step: step.name } as const) : undefined;
  const base: Piece = {
    left: main?.left ?? 0,
    right,
    height: Math.max(end, bottom),
    shapes,
    edges,
    in: main?.in ?? { kind: "begun", step: step.name },
    out,
  };
  return last === undefined ? stretched(base, end) : withLast(base, end, labelled("finally", toSequence(last)));
}

/** Where catches reach further down than the body, its line goes down with them. */
function stretched(piece: Piece, end: number): Piece {
  if (piece.out === undefined || piece.height === end) return piece;
  return {
    ...piece,
    edges: [
      ...piece.edges,
      flow(
        [
          [0, end],
          [0, piece.height],
        ],
        piece.out,
        false,
      ),
    ],
  };
}

function withLast(base: Piece, end: number, last: Piece): Piece {
  const top = base.height + size.rise;
  const placed = moved(last, 0, top);
  return {
    ...base,
    left: Math.max(base.left, last.left),
    right: Math.max(base.right, last.right),
    height: top + last.height,
    shapes: [...base.shapes, ...placed.shapes],
    edges: [
      ...base.edges,
      flow(
        [
          [0, end],
          [0, top],
        ],
        last.in,
      ),
      ...placed.edges,
    ],
    out: base.out === undefined ? undefined : last.out,
  };
}

function labelled(text: string, piece: Piece): Piece {
  const width = labelWidth(text);
  const gap = 14;
  const placed = moved(piece, 0, size.label + gap);
  return {
    ...piece,
    left: Math.max(piece.left, width / 2),
    right: Math.max(piece.right, width / 2),
    height: size.label + gap + piece.height,
    shapes: [
      { kind: "label", text, expression: false, x: -width / 2, y: 0, width, height: size.label },
      ...placed.shapes,
    ],
    edges: [
      flow(
        [
          [0, size.label],
          [0, size.label + gap],
        ],
        piece.in,
      ),
      ...placed.edges,
    ],
  };
}
