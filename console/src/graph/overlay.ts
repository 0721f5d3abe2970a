import { allSteps } from "./definition.ts";
import type { DefinedStep } from "./definition.ts";
import type { Passage } from "./drawing.ts";

/** States of sidestep.v1.StepStatus, by name. */
export type StepState =
  | "RUNNING"
  | "BACKING_OFF"
  | "WAITING"
  | "COMPLETED"
  | "FAILED"
  | "SKIPPED"
  | "PAUSED"
  | "CANCELLED"
  | "QUEUED";

/** What the overlay needs of a StepStatus. */
export interface Told {
  readonly path: string;
  readonly state: StepState;
  readonly attempt: number;
  readonly compensation: boolean;
}

/** How a step of the definition stands in a run, over all passes. */
export interface Mark {
  /** Undefined: it has not begun. */
  readonly state: StepState | undefined;
  /** It will not begin any more, for another way was gone or the run has ended. */
  readonly isPassedBy: boolean;
  /** Of all passes. */
  readonly counts: ReadonlyMap<StepState, number>;
  readonly passes: number;
  /** The most that one pass took. */
  readonly attempts: number;
}

/** Marks by the names of steps, and of compensations. */
export interface Overlay {
  readonly steps: ReadonlyMap<string, Mark>;
  readonly undos: ReadonlyMap<string, Mark>;
  readonly isPassed: (passage: Passage) => boolean;
}

/** What a run looks like over its definition. */
export function overlay(steps: readonly DefinedStep[], told: readonly Told[], hasEnded: boolean): Overlay {
  const forward = group(told.filter(({ compensation }) => !compensation));
  const undoing = group(told.filter(({ compensation }) => compensation));
  const passedBy = new Set(passedBySteps(steps, forward));
  const forgotten = new Set(forgottenSteps(steps, forward));
  const marks = new Map(
    allSteps(steps).map(({ name }) => [
      name,
      toMark(forward.get(name), (hasEnded && !forgotten.has(name)) || passedBy.has(name)),
    ]),
  );
  const undos = new Map(allSteps(steps).map(({ name }) => [name, toMark(undoing.get(name), hasEnded)]));
  const isBegun = (name: string): boolean => forward.has(name);
  const isDone = (name: string): boolean => {
    const state = marks.get(name)?.state;
    return state === "COMPLETED" || state === "SKIPPED";
  };
  const isSkipped = (name: string): boolean => marks.get(name)?.counts.has("SKIPPED") === true;
  return {
    steps: marks,
    undos,
    isPassed: (passage) => isPassed(passage, { isBegun, isDone, isSkipped }, told.length > 0),
  };
}

type Ask = (name: string) => boolean;

function isPassed(
  passage: Passage,
  { isBegun, isDone, isSkipped }: { readonly isBegun: Ask; readonly isDone: Ask; readonly isSkipped: Ask },
  hasBegun: boolean,
): boolean {
  switch (passage.kind) {
    case "started":
      return hasBegun;
    case "begun":
      return isBegun(passage.step);
    case "done":
      return isDone(passage.step);
    case "ran":
      return isBegun(passage.step) && !isSkipped(passage.step);
    case "completed":
      return isDone(passage.step) && !isSkipped(passage.step);
    case "skipped":
      return isSkipped(passage.step);
    case "around":
      return isDone(passage.step) && !passage.others.some(isBegun);
    case "never":
      return false;
  }
}

/** The last segment of a path is the step's name: "label" of "labels[3]/label". */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function group(told: readonly Told[]): ReadonlyMap<string, readonly Told[]> {
  return Map.groupBy(told, ({ path }) => nameOf(path));
}

/** What needs a look comes first. */
const weight: readonly StepState[] = [
  "PAUSED",
  "FAILED",
  "BACKING_OFF",
  "RUNNING",
  "QUEUED",
  "WAITING",
  "CANCELLED",
  "COMPLETED",
  "SKIPPED",
];

function toMark(told: readonly Told[] | undefined, isPassedBy: boolean): Mark {
  if (told === undefined) return { state: undefined, isPassedBy, counts: new Map(), passes: 0, attempts: 0 };
  const counts = new Map<StepState, number>();
  for (const { state } of told) counts.set(state, (counts.get(state) ?? 0) + 1);
  return {
    state: weight.find((state) => counts.has(state)),
    isPassedBy: false,
    counts,
    passes: told.length,
    attempts: told.reduce((most, { attempt }) => Math.max(most, attempt), 0),
  };
}

/** Ways of a switch that were not gone. */
function passedBySteps(steps: readonly DefinedStep[], begun: ReadonlyMap<string, unknown>): readonly string[] {
  return allSteps(steps)
    .filter(({ kind }) => kind === "switch")
    .flatMap(({ blocks }) => {
      const names = blocks.map((block) => allSteps(block.steps).map(({ name }) => name));
      return names.some((way) => way.some((name) => begun.has(name)))
        ? names.filter((way) => !way.some((name) => begun.has(name))).flat()
        : [];
    });
}

/** Steps of passes of which none is told: a run of many forgets those that are done. */
function forgottenSteps(steps: readonly DefinedStep[], begun: ReadonlyMap<string, unknown>): readonly string[] {
  return allSteps(steps)
    .filter(({ kind, name }) => (kind === "for_each" || kind === "loop") && begun.has(name))
    .flatMap(({ blocks }) => {
      const names = blocks.flatMap((block) => allSteps(block.steps).map(({ name }) => name));
      return names.some((name) => begun.has(name)) ? [] : names;
    });
}
