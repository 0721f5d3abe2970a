import * as fc from "fast-check";
import { expect, test } from "vitest";
import { allSteps } from "./definition.ts";
import type { DefinedStep } from "./definition.ts";
import type { Drawing, Shape } from "./drawing.ts";
import { layOut } from "./layout.ts";
import { makeBlock, makeStep } from "./testing.ts";

const call = (name: string, more: Partial<DefinedStep> = {}): DefinedStep =>
  makeStep("call", name, { method: "a.v1.B/C", ...more });

test("steps stand below one another on one axis, between start and end", () => {
  const drawing = layOut([call("one"), call("two")]);
  const [one, two] = cardsOf(drawing, ["one", "two"]);
  expect(one?.x).toBe(two?.x);
  expect(bottomOf(one)).toBeLessThan(two?.y ?? 0);
  expect(drawing.shapes.map(({ kind }) => kind)).toEqual(["start", "card", "card", "end"]);
  expect(drawing.edges.map(({ passage }) => passage)).toEqual([
    { kind: "started" },
    { kind: "begun", step: "two" },
    { kind: "done", step: "two" },
  ]);
});

test("what undoes a step stands at its right, and the axis stays where it is", () => {
  const drawing = layOut([call("one", { compensation: call("one", { method: "a.v1.B/Undo" }) }), call("two")]);
  const [one, two] = cardsOf(drawing, ["one", "two"]);
  expect(one?.x).toBe(two?.x);
  expect(drawing.shapes.find(({ kind }) => kind === "undo")?.x).toBeGreaterThan((one?.x ?? 0) + (one?.width ?? 0));
});

test("a switch without a default has a way around its cases, which is gone when none of them was", () => {
  const drawing = layOut([
    makeStep("switch", "which", {
      blocks: [makeBlock("CASE", [call("a")], "x > 1"), makeBlock("CASE", [call("b")], "x > 2")],
    }),
  ]);
  expect(drawing.shapes.flatMap((shape) => (shape.kind === "label" ? [shape.text] : []))).toEqual([
    "x > 1",
    "x > 2",
    "otherwise",
  ]);
  expect(drawing.edges.some(({ passage }) => passage.kind === "around" && passage.others.join() === "a,b")).toBe(true);
});

test("behind a step that ends the run nothing is drawn to the end", () => {
  const drawing = layOut([call("one"), makeStep("fail", "no")]);
  expect(drawing.shapes.some(({ kind }) => kind === "end")).toBe(false);
});

test("a thousand steps are laid out, and so is a definition without any", () => {
  const steps = Array.from({ length: 1000 }, (_, at) => call(`s${at}`));
  expect(layOut(steps).shapes).toHaveLength(1002);
  expect(layOut([]).shapes).toHaveLength(2);
});

test("whatever the definition: nothing lies over another thing, each box holds its steps, and all is inside the drawing", () => {
  fc.assert(
    fc.property(definitions, (steps) => {
      const drawing = layOut(steps);
      const solid = drawing.shapes.filter(({ kind }) => kind !== "box" && kind !== "start" && kind !== "end");
      for (const [at, one] of solid.entries()) {
        for (const other of solid.slice(at + 1)) expect(overlap(one, other), JSON.stringify([one, other])).toBe(false);
      }
      for (const shape of drawing.shapes) expect(isInside(shape, drawing)).toBe(true);
      for (const box of drawing.shapes.filter((shape) => shape.kind === "box")) {
        const inner = new Set(box.step.blocks.flatMap((block) => allSteps(block.steps).map(({ name }) => name)));
        const held = drawing.shapes.filter(
          (shape) => "step" in shape && shape.kind !== "undo" && inner.has(shape.step.name),
        );
        for (const one of held) expect(contains(box, one), JSON.stringify([box.step.name, one])).toBe(true);
      }
      const drawn = new Set(drawing.shapes.flatMap((shape) => ("step" in shape ? [shape.step.name] : [])));
      expect(allSteps(steps).filter(({ name }) => !drawn.has(name))).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

const kinds = ["call", "wait", "let", "fail", "switch", "parallel", "for_each", "loop", "try", "approve"] as const;

/** Definitions of some depth, with names of their own. */
const definitions = stepsOf(3).map((steps) => named(steps, { next: 0 }));

function stepsOf(depth: number): fc.Arbitrary<readonly DefinedStep[]> {
  const blocks = depth === 0 ? fc.constant([[]]) : fc.array(stepsOf(depth - 1), { minLength: 1, maxLength: 3 });
  const step = fc.record({
    kind: fc.constantFrom(...kinds),
    isConditional: fc.boolean(),
    isUndone: fc.boolean(),
    blocks,
    label: fc.string({ maxLength: 60 }),
  });
  return fc.array(step.map(toDefined), { maxLength: 3 });
}

interface Drawn {
  readonly kind: (typeof kinds)[number];
  readonly isConditional: boolean;
  readonly isUndone: boolean;
  readonly blocks: readonly (readonly DefinedStep[])[];
  readonly label: string;
}

function toDefined({ kind, isConditional, isUndone, blocks, label }: Drawn): DefinedStep {
  return makeStep(kind, "", {
    settings: isConditional ? [{ name: "when", text: label, expression: true }] : [],
    compensation: isUndone ? makeStep("call", "") : undefined,
    blocks: blocksOf(kind, blocks, label),
  });
}

function blocksOf(
  kind: (typeof kinds)[number],
  blocks: readonly (readonly DefinedStep[])[],
  label: string,
): DefinedStep["blocks"] {
  const [first = [], ...rest] = blocks;
  if (kind === "switch") return blocks.map((steps) => makeBlock("CASE", steps, label));
  if (kind === "parallel") return blocks.map((steps) => makeBlock("BRANCH", steps));
  if (kind === "for_each" || kind === "loop") return [makeBlock("BODY", first)];
  if (kind === "try")
    return [
      makeBlock("BODY", first),
      ...rest.map((steps) => makeBlock("CATCH", steps, label)),
      makeBlock("FINALLY", []),
    ];
  return kind === "approve" ? [makeBlock("ON_REJECT", first, "rejected")] : [];
}

function named(steps: readonly DefinedStep[], counter: { next: number }): readonly DefinedStep[] {
  return steps.map((step) => {
    const name = `s${counter.next++}`;
    const blocks = step.blocks.map((block) => ({
      role: block.role,
      label: block.label,
      steps: named(block.steps, counter),
    }));
    return Object.assign({}, step, { name, blocks });
  });
}

function cardsOf(drawing: Drawing, names: readonly string[]): readonly (Shape | undefined)[] {
  return names.map((name) => drawing.shapes.find((shape) => shape.kind === "card" && shape.step.name === name));
}

function bottomOf(shape: Shape | undefined): number {
  return (shape?.y ?? 0) + (shape?.height ?? 0);
}

function overlap(a: Shape, b: Shape): boolean {
  const slack = 0.01;
  return (
    a.x + a.width > b.x + slack &&
    b.x + b.width > a.x + slack &&
    a.y + a.height > b.y + slack &&
    b.y + b.height > a.y + slack
  );
}

function contains(outer: Shape, inner: Shape): boolean {
  return (
    outer.x <= inner.x &&
    outer.y <= inner.y &&
    outer.x + outer.width >= inner.x + inner.width &&
    outer.y + outer.height >= inner.y + inner.height
  );
}

function isInside({ x, y, width, height }: Shape, drawing: Drawing): boolean {
  return x >= 0 && y >= 0 && x + width <= drawing.width && y + height <= drawing.height;
}
