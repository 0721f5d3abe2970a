import type { ForEach } from "../../../proto/gen/sidestep/v1/workflow.ts";
import { ScalarType } from "@bufbuild/protobuf";
import { formatValueType } from "../engine/expression/value.ts";
import type { ValueType } from "../engine/expression/value.ts";
import { compileArm } from "./arms.ts";
import type { StepsCompiler, Surround } from "./arms.ts";
import type { Context } from "./context.ts";
import { compileExpression } from "./expression.ts";
import type { CompiledExpression } from "./expression.ts";
import { requireFeature } from "./feature.ts";
import type { CompiledKind } from "./kind.ts";
import { variableOf, withVariables } from "./names.ts";
import { elementOf, listOf } from "./listOf.ts";
import { fieldOf } from "./place.ts";
import type { Place } from "./place.ts";

const inBody = "it stands in the body of a for_each";
const position: ValueType = { kind: "scalar", scalar: ScalarType.INT64 };

/** Compiles a `for_each` whose message stands at `place`. */
export function compileForEach(
  context: Context,
  forEach: ForEach,
  place: Place,
  surround: Surround,
  compileSteps: StepsCompiler,
): CompiledKind {
  const { findings } = context;
  requireFeature(context, "for_each", place);
  const list = compileList(context, forEach.in, fieldOf(place, "in"));
  const element = list?.type.kind === "list" ? elementOf(list.type) : undefined;
  if (forEach.as === "")
    findings.add("MISSING", place, "the for_each doesn't name its element", 'add `as`, like `as: "item"`');
  if (forEach.step.length === 0) {
    const hint = "add `step { … }`; a list is made of another by map(): 'input.items.map(i, i.sku)'";
    findings.add("EMPTY_BLOCK", place, "the for_each has no steps", hint);
  }
  const indexAs = forEach.indexAs === "" ? "index" : forEach.indexAs;
  const arm = { steps: forEach.step, result: forEach.collect, place, name: surround.name, resultField: "collect" };
  const variables = [[forEach.as, variableOf(element)] as const, [indexAs, variableOf(position)] as const];
  const body = withVariables(context.names, variables, () =>
    compileArm(context, arm, { ...surround, inParallel: true }, undefined, inBody, compileSteps),
  );
  const result = listOf(
    context,
    body.result?.type,
    fieldOf(place, "collect"),
    "the step's result is the list of its passes'",
  );
  const isWrong = list === undefined || element === undefined;
  return {
    kind: isWrong
      ? undefined
      : {
          $case: "forEach",
          value: {
            in: list.expression,
            as: forEach.as,
            type: { name: formatValueType(element), redacted: element.isRedacted ?? false },
            indexAs,
            maxParallel: forEach.maxParallel,
            body: body.block,
          },
        },
    result,
    noResult: "a for_each without `collect` has none",
    broken: forEach.collect !== "" && result === undefined,
    ends: false,
  };
}

function compileList(context: Context, source: string, place: Place): CompiledExpression | undefined {
  if (source === "") {
    context.findings.add(
      "MISSING",
      place,
      "the for_each has no list",
      "add `in: '…'`, a CEL expression that yields a list",
    );
    return undefined;
  }
  const list = compileExpression(context, place, source, { kind: "any" }, undefined, "kept");
  if (list === undefined || list.type.kind === "list") return list;
  const hint =
    list.type.kind === "map" ? `its keys: '${source}.map(k, k)'` : "name a repeated field, or build a list: '[…]'";
  context.findings.add("CEL_TYPE", place, `a for_each goes over a list, this is ${formatValueType(list.type)}`, hint);
  return undefined;
}
