import { ScalarType } from "@bufbuild/protobuf";
import type { Carry as PlannedCarry, Expression } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Carry, Loop } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { formatValueType } from "../engine/expression/value.ts";
import type { ValueType } from "../engine/expression/value.ts";
import { compileBlock, hideBlock } from "./arms.ts";
import type { CompiledBlock, StepsCompiler, Surround } from "./arms.ts";
import type { Context } from "./context.ts";
import { compileExpression, compileOptional } from "./expression.ts";
import { requireFeature } from "./feature.ts";
import type { CompiledKind } from "./kind.ts";
import { listOf } from "./listOf.ts";
import { resolveType } from "./messageType.ts";
import { variableOf, withVariables } from "./names.ts";
import { elementOf, fieldOf } from "./place.ts";
import type { Place } from "./place.ts";
import { durationOr } from "./settings.ts";
import { synthesize } from "./synthesize.ts";

const inBody = "it stands in the body of a loop";
const count: ValueType = { kind: "scalar", scalar: ScalarType.INT64 };

/** A carry of which the first value is compiled. */
interface BegunCarry {
  readonly carry: Carry;
  readonly place: Place;
  readonly type: ValueType | undefined;
  readonly init: Expression | undefined;
}

/** Compiles a `loop` whose message stands at `place`; `id` is the step's. */
export function compileLoop(
  context: Context,
  loop: Loop,
  place: Place,
  surround: Surround,
  id: string,
  compileSteps: StepsCompiler,
): CompiledKind {
  const { findings, limits } = context;
  requireFeature(context, "loop", place);
  if (loop.maxIterations === 0) {
    const hint = "add `max_iterations`: when it is reached, the step fails with RESOURCE_EXHAUSTED";
    findings.add("MISSING", place, "the loop may go on for ever", hint);
  }
  if (loop.step.length === 0) findings.add("EMPTY_BLOCK", place, "the loop has no steps", "add `step { … }`");
  if (loop.carry.length > limits.entriesMax) {
    const at = elementOf(place, "carry", limits.entriesMax);
    findings.add(
      "LIMIT",
      at,
      `${loop.carry.length} carries, the limit is ${limits.entriesMax}`,
      "put them into a message",
    );
  }
  const begun = loop.carry.map((carry, index) => beginCarry(context, carry, elementOf(place, "carry", index)));
  const variables = [
    ["iteration", variableOf(count)] as const,
    ...begun.map(({ carry, type }) => [carry.name, variableOf(type)] as const),
  ];
  const pauseMs = durationOr(0, loop.pause, fieldOf(place, "pause"), findings, limits);
  const inside = withVariables(context.names, variables, () => {
    const before = compileOptional(context, fieldOf(place, "while"), loop.while, { kind: "bool" });
    const arm = { steps: loop.step, result: loop.collect, place, name: surround.name, resultField: "collect" };
    const body = compileBlock(context, arm, surround, undefined, compileSteps);
    const isReached = !body.ends;
    const until = isReached
      ? compileOptional(context, fieldOf(place, "until"), loop.until, { kind: "bool" })
      : undefined;
    const carries = begun.map((carry) => (isReached ? endCarry(context, carry) : undefined));
    hideBlock(context, body, inBody);
    return { before, body, until, carries };
  });
  const { before, body, until } = inside;
  const carries = inside.carries.filter((carry) => carry !== undefined);
  const result = resultOf(context, loop, body, begun, id, place);
  return {
    kind: {
      $case: "loop",
      value: {
        while: before?.expression,
        until: until?.expression,
        maxIterations: loop.maxIterations,
        pauseMs,
        carries,
        body: body.block,
      },
    },
    result,
    noResult: id === "" ? "it has no id" : "a loop without `collect` and `carry` has none",
    broken: result === undefined && (loop.collect !== "" || loop.carry.length > 0),
    ends: body.ends && loop.while === "",
  };
}

function resultOf(
  context: Context,
  loop: Loop,
  body: CompiledBlock,
  begun: readonly BegunCarry[],
  id: string,
  place: Place,
): ValueType | undefined {
  if (loop.collect !== "") {
    return listOf(
      context,
      body.result?.type,
      fieldOf(place, "collect"),
      "the step's result is the list of its passes'",
    );
  }
  if (begun.length === 0 || id === "") return undefined;
  const fields: { readonly name: string; readonly type: ValueType }[] = [];
  for (const { carry, type } of begun) {
    if (type === undefined) return undefined;
    fields.push({ name: carry.name, type });
  }
  return { kind: "message", message: synthesize(context, id, fields) };
}

function beginCarry(context: Context, carry: Carry, place: Place): BegunCarry {
  const { findings } = context;
  if (carry.name === "") findings.add("MISSING", place, "the carry has no name", 'name it, like `name: "cursor"`');
  if (carry.next === "") {
    const hint = "add `next: '…'`, a CEL expression that yields its value for the next pass";
    findings.add("MISSING", place, "the carry never changes", hint);
  }
  const declared = carry.type === "" ? undefined : resolveType(context, carry.type, fieldOf(place, "type"));
  if (carry.init === "") {
    const hint = "add `init: '…'`, a CEL expression that yields its value for the first pass";
    findings.add("MISSING", place, "the carry has no first value", hint);
    return { carry, place, type: declared, init: undefined };
  }
  if (carry.type !== "" && declared === undefined) return { carry, place, type: undefined, init: undefined };
  const wanted = declared === undefined ? ({ kind: "any" } as const) : ({ kind: "value", type: declared } as const);
  const init = compileExpression(context, fieldOf(place, "init"), carry.init, wanted, undefined, "kept");
  return { carry, place, type: init?.type ?? declared, init: init?.expression };
}

function endCarry(context: Context, { carry, place, type, init }: BegunCarry): PlannedCarry | undefined {
  if (carry.next === "" || type === undefined) return undefined;
  // Its passes are compiled: a carry that begins without anything redacted stays so.
  const destination = type.isRedacted === true ? "kept" : "shown";
  const wanted = { kind: "value", type } as const;
  const next = compileExpression(context, fieldOf(place, "next"), carry.next, wanted, undefined, destination);
  return {
    name: carry.name,
    type: { name: formatValueType(type), redacted: type.isRedacted ?? false },
    init,
    next: next?.expression,
  };
}
