import type { Expr } from "@bufbuild/cel-spec/cel/expr/syntax_pb.js";
import type { Place } from "./checking.ts";
import { localNamed } from "./names.ts";

/** The place, with the steps that have certainly run when `condition` came out as `truth`. */
export function placeWhen(place: Place, condition: Expr, truth: boolean): Place {
  const proven = provenBy(condition, truth, place);
  return proven.length === 0 ? place : { ...place, ran: new Set([...place.ran, ...proven]) };
}

/** Ids of the steps that have a result when the condition has that truth: has(steps.x), through !, && and ||. */
function provenBy(condition: Expr, truth: boolean, place: Place): readonly string[] {
  const { exprKind } = condition;
  if (exprKind.case === "selectExpr") {
    const { operand, field, testOnly } = exprKind.value;
    return truth && testOnly && isSteps(operand, place) ? [field] : [];
  }
  if (exprKind.case !== "callExpr") return [];
  const [left, right] = exprKind.value.args;
  if (left === undefined) return [];
  switch (exprKind.value.function) {
    case "!_":
      return provenBy(left, !truth, place);
    case "_&&_":
      return right === undefined ? [] : combine(left, right, truth, true, place);
    case "_||_":
      return right === undefined ? [] : combine(left, right, truth, false, place);
    default:
      return [];
  }
}

/** When both sides must have the truth both prove; else only what each of them proves. */
function combine(left: Expr, right: Expr, truth: boolean, both: boolean, place: Place): readonly string[] {
  const first = provenBy(left, truth, place);
  const second = provenBy(right, truth, place);
  return truth === both ? [...first, ...second] : first.filter((id) => second.includes(id));
}

/** Is the node the variable `steps`? */
export function isSteps(node: Expr | undefined, place: Place): boolean {
  return (
    node?.exprKind.case === "identExpr" &&
    node.exprKind.value.name === "steps" &&
    localNamed(place.locals, "steps") === undefined
  );
}
