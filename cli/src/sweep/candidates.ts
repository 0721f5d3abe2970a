import type { DescField, DescMessage, JsonValue, Registry } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import type { LoadedPlan, PlannedExpression, StepPlan } from "../../../orchestrator/src/engine/plan.ts";
import { inventJson } from "../../../proto/json/invent.ts";
import { armsOf } from "./arms.ts";

/** A value that may turn a condition. */
export interface Candidate {
  /** As SweepCase.set has it. */
  readonly target: string;
  readonly value: JsonValue;
  /** It may make an expression fail: every call is failed with it, too. */
  readonly isRisky: boolean;
}

/** Of one condition; more are not tried. */
const candidatesMax = 24;

/**
 * Values worth trying: of each field that a condition reads, at and beside the constants that it is compared with; of each that an expression reads
 * which may fail (an index, a division, a conversion), those at which it does.
 */
export function candidatesOf(plan: LoadedPlan, registry: Registry, seed: number): readonly Candidate[] {
  const conditions = new Map<string, Condition>();
  for (const { condition } of armsOf(plan))
    if (condition !== undefined)
      conditions.set(condition.expression.source, { condition, step: undefined, isRisky: false });
  for (const one of expressionsIn([plan.steps, plan.output]))
    if (risky.test(one.expression.source) && !conditions.has(one.expression.source))
      conditions.set(one.expression.source, { condition: one, step: undefined, isRisky: true });
  for (const step of plan.steps) {
    const { action } = step;
    const done = action.kind === "call" ? action.call.verify?.done : undefined;
    if (done !== undefined)
      conditions.set(`${step.name} ${done.expression.source}`, { condition: done, step, isRisky: false });
  }
  const found = new Map<string, Candidate>();
  for (const condition of conditions.values())
    for (const candidate of ofCondition(plan, registry, condition, seed).slice(0, candidatesMax))
      found.set(`${candidate.target}=${JSON.stringify(candidate.value)}`, candidate);
  return [...found.values()];
}

interface Condition {
  readonly condition: PlannedExpression;
  /** Whose verify it belongs to. */
  readonly step: StepPlan | undefined;
  readonly isRisky: boolean;
}

/** Indexes, divisions and conversions. */
const risky = /\w\[|[/%]|\b(int|uint|timestamp|duration)\(/;

/** All expressions below. */
function expressionsIn(value: unknown): readonly PlannedExpression[] {
  if (Array.isArray(value)) return value.flatMap(expressionsIn);
  if (typeof value !== "object" || value === null || value instanceof Set) return [];
  return isPlanned(value) ? [value] : Object.values(value).flatMap(expressionsIn);
}

function isPlanned(value: object): value is PlannedExpression {
  return "expression" in value && "place" in value;
}

function ofCondition(
  plan: LoadedPlan,
  registry: Registry,
  { condition, step: verified, isRisky }: Condition,
  seed: number,
): readonly Candidate[] {
  const { source } = condition.expression;
  const constants = constantsOf(source);
  const paths = new Set([...source.matchAll(/\b[a-z_]\w*(?:\.[a-z_]\w*)*\b/g)].map(([path]) => path));
  return [...paths].flatMap((path) => {
    const [root = "", ...names] = path.split(".");
    const type =
      verified !== undefined && root === "answer" ? answerType(verified, registry) : typeOf(plan, registry, root);
    if (type === undefined) return [];
    const target = verified !== undefined && root === "answer" ? `answer.${verified.name}` : root;
    const reached = fieldAt(type, names);
    if (reached === undefined) return [];
    const { field, at } = reached;
    return valuesOf(field, constants, seed).map((value) => ({ target: `${target}.${at.join(".")}`, value, isRisky }));
  });
}

/** What a root of an expression is made from: the request, a call's answer, a signal's payload. */
function typeOf(plan: LoadedPlan, registry: Registry, root: string): DescMessage | undefined {
  if (root === "input") return registry.getMessage(plan.plan.requestType);
  const action = plan.steps.find(({ id }) => id === root)?.action;
  if (action?.kind === "call" && action.call.stream === undefined) return registry.getMessage(action.call.responseType);
  return action?.kind === "signal" ? registry.getMessage(action.signal.type) : undefined;
}

function answerType({ action }: StepPlan, registry: Registry): DescMessage | undefined {
  return action.kind === "call" ? registry.getMessage(action.call.verify?.call.responseType ?? "") : undefined;
}

/** The field that a path leads to; what follows a list, or a name of a function, is not looked at. */
function fieldAt(
  type: DescMessage,
  names: readonly string[],
): { readonly field: DescField; readonly at: readonly string[] } | undefined {
  let within: DescMessage | undefined = type;
  const at: string[] = [];
  let found: DescField | undefined;
  for (const name of names) {
    const next: DescField | undefined = within?.fields.find((one) => one.name === name);
    if (next === undefined) break;
    found = next;
    at.push(name);
    within = next.fieldKind === "message" ? next.message : undefined;
  }
  return found === undefined ? undefined : { field: found, at };
}

interface Constants {
  readonly numbers: readonly number[];
  readonly texts: readonly string[];
}

function constantsOf(source: string): Constants {
  const texts = [...source.matchAll(/"([^"\\]*)"|'([^'\\]*)'/g)].map(([, double, single]) => double ?? single ?? "");
  const bare = source.replaceAll(/"[^"]*"|'[^']*'/g, "");
  const numbers = [...bare.matchAll(/(?<![\w.])-?\d+(?:\.\d+)?/g)].map(([number]) => Number(number));
  return { numbers: [...new Set([0, ...numbers])], texts: [...new Set(["", ...texts, "some text"])] };
}

function valuesOf(field: DescField, { numbers, texts }: Constants, seed: number): readonly JsonValue[] {
  switch (field.fieldKind) {
    case "enum":
      return field.enum.values.map(({ name }) => name);
    case "message":
      return [null, inventJson(field.message, { seed })];
    case "list":
    case "map":
      return listsOf(field, seed);
    case "scalar":
      break;
  }
  switch (field.scalar) {
    case ScalarType.BOOL:
      return [true, false];
    case ScalarType.STRING:
      return texts;
    case ScalarType.BYTES:
      return ["", "AQ=="];
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return numbers.flatMap((number) => [number, number + 0.1, number - 0.1, number + 1]);
    default:
      return numbers.map(Math.trunc).flatMap((number) => [number, number + 1, Math.max(number - 1, 0)]);
  }
}

/** An empty one, and one that has something. */
function listsOf(field: DescField & { readonly fieldKind: "list" | "map" }, seed: number): readonly JsonValue[] {
  for (let other = seed; other < seed + 20; other++) {
    const json = inventJson(field.parent, { seed: other });
    const value = typeof json === "object" && json !== null && !Array.isArray(json) ? json[field.name] : undefined;
    if (Array.isArray(value) ? value.length > 0 : Object.keys(value ?? {}).length > 0)
      return [field.fieldKind === "list" ? [] : {}, value ?? null];
  }
  return [field.fieldKind === "list" ? [] : {}];
}
