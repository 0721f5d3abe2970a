import { boxed } from "./box.ts";
import type { DefinedBlock, DefinedStep } from "./definition.ts";
import { flow, moved } from "./drawing.ts";
import type { Drawing, Passage, Piece, Point, Shape } from "./drawing.ts";
import { labelWidth, size } from "./measure.ts";
import { sideBySide } from "./ways.ts";
import type { Way } from "./ways.ts";

/** The picture of a workflow: its steps from top to bottom, ways side by side, blocks around what they hold. */
export function layOut(steps: readonly DefinedStep[]): Drawing {
  const body = sequence(steps);
  const { mark, rise, margin } = size;
  const top = mark + (steps.length === 0 ? 0 : rise);
  const bottom = top + body.height;
  const left = Math.max(body.left, mark);
  const placed = moved(body, 0, top);
  const height = bottom + rise + mark;
  const start: Shape = { kind: "start", x: -mark / 2, y: 0, width: mark, height: mark };
  const end: Shape = { kind: "end", x: -mark / 2, y: height - mark, width: mark, height: mark };
  const out = body.out;
  const edges = [
    ...(steps.length === 0
      ? []
      : [
          flow(
            [
              [0, mark],
              [0, top],
            ],
            { kind: "started" },
          ),
        ]),
    ...placed.edges,
    ...(out === undefined
      ? []
      : [
          flow(
            [
              [0, bottom],
              [0, height - mark],
            ],
            out,
          ),
        ]),
  ];
  const shapes = [start, ...placed.shapes, ...(out === undefined ? [] : [end])];
  const whole = {
    left,
    right: Math.max(body.right, mark),
    height,
    shapes,
    edges,
    in: { kind: "started" },
    out,
  } as const;
  return {
    width: whole.left + whole.right + 2 * margin,
    height: height + 2 * margin,
    ...moved(whole, left + margin, margin),
  };
}

/** Steps one after the other. */
function sequence(steps: readonly DefinedStep[], passage: Passage = { kind: "started" }): Piece {
  const pieces = steps.map(toPiece);
  let y = 0;
  let last: Piece | undefined;
  const shapes: Shape[] = [];
  const edges: Piece["edges"][number][] = [];
  for (const piece of pieces) {
    if (last !== undefined) {
      if (last.out !== undefined)
        edges.push(
          flow(
            [
              [0, y],
              [0, y + size.rise],
            ],
            piece.in,
          ),
        );
      y += size.rise;
    }
    const placed = moved(piece, 0, y);
    shapes.push(...placed.shapes);
    edges.push(...placed.edges);
    y += piece.height;
    last = piece;
  }
  const ends = pieces.some(({ out }) => out === undefined);
  return {
    left: Math.max(0, ...pieces.map((piece) => piece.left)),
    right: Math.max(0, ...pieces.map((piece) => piece.right)),
    height: y,
    shapes,
    edges,
    in: pieces[0]?.in ?? passage,
    out: ends ? undefined : (last?.out ?? passage),
  };
}

function toPiece(step: DefinedStep): Piece {
  return conditioned(step, withUndo(step, bare(step)));
}

function bare(step: DefinedStep): Piece {
  if (step.kind === "switch") return sideBySide(head(step), switchWays(step), "centre");
  if (step.kind === "parallel") {
    return sideBySide(
      head(step),
      step.blocks.map((block) => toWay(step, block)),
      "centre",
    );
  }
  if (step.kind === "for_each" || step.kind === "loop" || step.kind === "try")
    return boxed(step, (block) => sequence(block.steps, { kind: "completed", step: step.name }));
  const card = leaf(step, "card", size.card);
  return step.blocks.length === 0 ? card : sideBySide(card, answeredWays(step), "first");
}

/** A step that waits for somebody goes straight on when that comes, and to a side when it does not. */
function answeredWays(step: DefinedStep): readonly Way[] {
  const others = step.blocks.flatMap((block) => block.steps.map(({ name }) => name));
  const label = step.kind === "approve" ? "approved" : "received";
  const straight: Way = { label, expression: false, piece: empty({ kind: "around", step: step.name, others }) };
  return [straight, ...step.blocks.map((block) => toWay(step, block))];
}

function head(step: DefinedStep): Piece {
  return leaf(step, "fork", size.fork);
}

function leaf(
  step: DefinedStep,
  kind: "card" | "fork",
  { width, height }: { readonly width: number; readonly height: number },
): Piece {
  const goesOn = step.kind !== "fail" && step.kind !== "return";
  return {
    left: width / 2,
    right: width / 2,
    height,
    shapes: [{ kind, step, x: -width / 2, y: 0, width, height }],
    edges: [],
    in: { kind: "begun", step: step.name },
    out: goesOn ? { kind: "done", step: step.name } : undefined,
  };
}

function switchWays(step: DefinedStep): readonly Way[] {
  const ways = step.blocks.map((block) => toWay(step, block));
  if (step.blocks.some(({ role }) => role === "DEFAULT")) return ways;
  const others = step.blocks.flatMap((block) => block.steps.map(({ name }) => name));
  return [
    ...ways,
    { label: "otherwise", expression: false, piece: empty({ kind: "around", step: step.name, others }) },
  ];
}

function toWay(step: DefinedStep, block: DefinedBlock): Way {
  return {
    label: block.label,
    expression: block.role === "CASE",
    piece: sequence(block.steps, { kind: "done", step: step.name }),
  };
}

function empty(passage: Passage): Piece {
  return { left: 0, right: 0, height: 0, shapes: [], edges: [], in: passage, out: passage };
}

/** What undoes a step stands at its right. */
function withUndo(step: DefinedStep, piece: Piece): Piece {
  const undo = step.compensation;
  if (undo === undefined) return piece;
  const { width, height } = size.undo;
  const x = piece.right + size.aisle;
  const y = (Math.min(piece.height, size.card.height) - height) / 2;
  const middle = y + height / 2;
  return {
    ...piece,
    right: x + width,
    shapes: [...piece.shapes, { kind: "undo", step: undo, x, y, width, height }],
    edges: [
      ...piece.edges,
      {
        kind: "undo",
        points: [
          [size.card.width / 2 < piece.right ? piece.right : size.card.width / 2, middle],
          [x, middle],
        ],
        passage: { kind: "never" },
        arrow: true,
      },
    ],
  };
}

/** The condition of a step stands above it, and a line goes around the step for when it does not hold. */
function conditioned(step: DefinedStep, piece: Piece): Piece {
  const when = step.settings.find(({ name }) => name === "when");
  if (when === undefined) return piece;
  const text = `if ${when.text}`;
  const width = labelWidth(text);
  const top = size.label + 8;
  const placed = moved(piece, 0, top);
  const left = Math.max(piece.left, width / 2) + size.bypass;
  const below = top + piece.height;
  const height = below + size.bypass;
  const around: readonly Point[] = [
    [-width / 2, size.label / 2],
    [-left, size.label / 2],
    [-left, height - 2],
    [0, height - 2],
  ];
  const straight =
    piece.out === undefined
      ? []
      : [
          flow(
            [
              [0, below],
              [0, height],
            ],
            piece.out,
            false,
          ),
        ];
  return {
    left,
    right: Math.max(piece.right, width / 2),
    height,
    shapes: [
      { kind: "label", text, expression: true, x: -width / 2, y: 0, width, height: size.label },
      ...placed.shapes,
    ],
    edges: [
      flow(around, { kind: "skipped", step: step.name }, false),
      flow(
        [
          [0, size.label],
          [0, top],
        ],
        { kind: "ran", step: step.name },
        false,
      ),
      ...placed.edges,
      ...straight,
    ],
    in: piece.in,
    out: { kind: "done", step: step.name },
  };
}
