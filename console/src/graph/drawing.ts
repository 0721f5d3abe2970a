import type { DefinedStep } from "./definition.ts";

/** What has to hold in a run for an edge to count as gone along. */
export type Passage =
  /** The step has begun. */
  | { readonly kind: "begun"; readonly step: string }
  /** The step is done: what is behind it may begin. */
  | { readonly kind: "done"; readonly step: string }
  /** The step has begun, and its condition was not false. */
  | { readonly kind: "ran"; readonly step: string }
  /** The step is done, and was not skipped. */
  | { readonly kind: "completed"; readonly step: string }
  /** The step's condition was false. */
  | { readonly kind: "skipped"; readonly step: string }
  /** The step is done and none of the others has begun: the way around them. */
  | { readonly kind: "around"; readonly step: string; readonly others: readonly string[] }
  | { readonly kind: "started" }
  | { readonly kind: "never" };

/** A line from one place to another; corners are rounded when it is drawn. */
export interface Edge {
  readonly kind: "flow" | "back" | "catch" | "undo";
  readonly points: readonly Point[];
  readonly passage: Passage;
  readonly arrow: boolean;
}

export type Point = readonly [x: number, y: number];

interface Placed {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** What is drawn; x and y are the upper left corner. */
export type Shape =
  /** A step that holds no others. */
  | (Placed & { readonly kind: "card"; readonly step: DefinedStep })
  /** The head of a switch or of parallel branches. */
  | (Placed & { readonly kind: "fork"; readonly step: DefinedStep })
  /** A loop, a for_each or a try around its steps. */
  | (Placed & { readonly kind: "box"; readonly step: DefinedStep })
  /** What undoes a step. */
  | (Placed & { readonly kind: "undo"; readonly step: DefinedStep })
  /** A condition, or the name of a way. */
  | (Placed & { readonly kind: "label"; readonly text: string; readonly expression: boolean })
  | (Placed & { readonly kind: "start" | "end" });

/** A drawing, and how large it is. */
export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly shapes: readonly Shape[];
  readonly edges: readonly Edge[];
}

/** A piece of a drawing around its axis: x = 0 is where the flow enters above and leaves below, y = 0 its upper edge. */
export interface Piece {
  readonly left: number;
  readonly right: number;
  readonly height: number;
  readonly shapes: readonly Shape[];
  readonly edges: readonly Edge[];
  /** What lets the flow in, and on behind it; `out` undefined: nothing goes on. */
  readonly in: Passage;
  readonly out: Passage | undefined;
}

/** The piece elsewhere. */
export function moved(piece: Piece, x: number, y: number): Pick<Piece, "shapes" | "edges"> {
  return {
    shapes: piece.shapes.map((shape) => Object.assign({}, shape, { x: shape.x + x, y: shape.y + y })),
    edges: piece.edges.map((edge) =>
      Object.assign({}, edge, { points: edge.points.map(([px, py]): Point => [px + x, py + y]) }),
    ),
  };
}

/** A line of the flow. */
export function flow(points: readonly Point[], passage: Passage, arrow = true): Edge {
  return { kind: "flow", points, passage, arrow };
}
