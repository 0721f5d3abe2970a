import type { ValueType } from "../engine/expression/value.ts";
import { builtInVariables } from "./cel/reserved.ts";
import type { BuiltIn, Scope, StepVisibility, Variable } from "./cel/scope.ts";

/**
 * What is known of each name at the point of the definition that is being compiled; changed in place while the compiler walks through it
 * in document order, so that a step costs the same in a long workflow as in a short one.
 */
export interface Names {
  readonly variables: Map<string, Variable>;
  readonly steps: Map<string, StepVisibility>;
  /** Steps with a result of unknown type, because their own definition is wrong: nobody is told about those twice. */
  readonly broken: Set<string>;
}

/** What was known of some names at an earlier point. */
export type SavedNames = readonly (readonly [
  id: string,
  variable: Variable | undefined,
  step: StepVisibility | undefined,
])[];

const inRun: ReadonlySet<BuiltIn> = new Set<BuiltIn>(["run", "now", "metadata"]);
const ofRun: ReadonlySet<BuiltIn> = new Set<BuiltIn>(["run", "metadata"]);
const atStart: ReadonlySet<BuiltIn> = new Set<BuiltIn>(["metadata"]);

/** Where the engine's own variables stand that not every expression has. */
const elsewhere: ReadonlyMap<string, string> = new Map([
  ["answer", "only `done` and `result` of a `verify` have it"],
  ["decision", "only the `on_reject` of an approval has it"],
  ["error", "only a catch has it"],
  ["event", "only the `when` of a signal step has it"],
  ["index", "only the steps of a for_each have it"],
  ["iteration", "only a loop has it"],
  ["query", "only the output of a query has it"],
]);

/** `input`, and every step id and loop variable of the workflow, all still to come; `wrongIds` are never readable. */
export function newNames(
  input: ValueType,
  {
    ids,
    loopVariables,
    wrongIds,
  }: {
    readonly ids: Iterable<string>;
    readonly loopVariables: ReadonlyMap<string, string>;
    readonly wrongIds: ReadonlySet<string>;
  },
): Names {
  const variables = new Map<string, Variable>();
  for (const [name, reason] of [...elsewhere, ...loopVariables]) variables.set(name, { kind: "hidden", reason });
  variables.set("input", { kind: "certain", type: input });
  const steps = new Map<string, StepVisibility>();
  for (const id of ids) {
    variables.set(id, { kind: "hidden", reason: "it comes later" });
    steps.set(id, { kind: "hidden", reason: "it comes later" });
  }
  const broken = new Set([...wrongIds].filter((id) => !builtInVariables.has(id)));
  for (const id of broken) variables.set(id, { kind: "hidden", reason: "no step can have this name" });
  return { variables, steps, broken };
}

/** What an expression of a running workflow may use at this point. */
export function scopeInRun(names: Names): Scope {
  return { variables: names.variables, steps: names.steps, builtIns: inRun };
}

/** What an expression may use that yields the same at any time of the run. */
export function scopeOfRun(names: Names): Scope {
  return { ...scopeInRun(names), builtIns: ofRun };
}

/** What an expression may use that is evaluated before there is a run. */
export function scopeAtStart(input: ValueType): Scope {
  return { variables: new Map([["input", { kind: "certain", type: input }]]), steps: new Map(), builtIns: atStart };
}

/** A value of the type; undefined, for a definition that is wrong itself: nothing can be said about it. */
export function variableOf(type: ValueType | undefined): Variable {
  return type === undefined ? { kind: "hidden", reason: "its type is not known" } : { kind: "certain", type };
}

/** Compiles something that sees more variables than what is around it. */
export function withVariables<T>(
  names: Names,
  variables: readonly (readonly [name: string, variable: Variable])[],
  compile: () => T,
): T {
  const before = variables.map(([name]) => [name, names.variables.get(name), names.broken.has(name)] as const);
  for (const [name, variable] of variables) {
    names.variables.set(name, variable);
    if (variable.kind === "hidden") names.broken.add(name);
  }
  const compiled = compile();
  for (const [name, variable, wasBroken] of before.toReversed()) {
    if (variable === undefined) names.variables.delete(name);
    else names.variables.set(name, variable);
    if (!wasBroken) names.broken.delete(name);
  }
  return compiled;
}

/** The step has ended: its result can be read from here on. `reason` says why a step without one has none. */
export function reveal(names: Names, id: string, result: ValueType | undefined, reason: string): void {
  names.variables.set(id, result === undefined ? { kind: "hidden", reason } : { kind: "certain", type: result });
  names.steps.set(id, { kind: "visible" });
}

/** Nothing of these steps can be read from here on. */
export function hide(names: Names, ids: readonly string[], reason: string): void {
  for (const id of ids) {
    names.variables.set(id, { kind: "hidden", reason });
    names.steps.set(id, { kind: "hidden", reason });
  }
}

/** The results of these steps can only be read under has(steps.<id>) from here on. */
export function makeConditional(names: Names, ids: readonly string[], reason: string): void {
  for (const id of ids) {
    const variable = names.variables.get(id);
    if (variable?.kind === "certain") names.variables.set(id, { kind: "conditional", type: variable.type, reason });
  }
}

/** What is known of these names now, to be restored later. */
export function save(names: Names, ids: readonly string[]): SavedNames {
  return ids.map((id) => [id, names.variables.get(id), names.steps.get(id)]);
}

/** Brings back what was known when it was saved. */
export function restore(names: Names, saved: SavedNames): void {
  for (const [id, variable, step] of saved) {
    if (variable !== undefined) names.variables.set(id, variable);
    if (step !== undefined) names.steps.set(id, step);
  }
}
