import type { EvaluatedExpression } from "../../../proto/gen/sidestep/v1/step_details.ts";
import { bindingsOf, budgetOf, isKeptApart } from "./evaluate.ts";
import type { Place } from "./evaluate.ts";
import type { RawValue } from "./expression/result.ts";
import { toJsonText } from "./keptJson.ts";
import type { LiveStep } from "./live.ts";
import type { CallPlan, LoadedPlan, PlannedExpression, StepPlan } from "./plan.ts";
import { shownBytes } from "./redact.ts";
import type { RunState } from "./state.ts";

/** Expressions that are evaluated when a step begins, and what they give there. To be asked in the turn in which it began. */
export function describeExpressions(
  plan: LoadedPlan,
  state: RunState,
  step: LiveStep,
  isCompensation: boolean,
): readonly EvaluatedExpression[] {
  const place = { state, scope: step.frame.scope, step: step.path };
  const found: EvaluatedExpression[] = [];
  for (const [name, planned] of isCompensation ? ofCompensation(step.plan) : ofStep(step.plan)) {
    if (planned === undefined) continue;
    const value = evaluate(plan, place, name, planned);
    found.push(value);
    // What comes behind was not asked for.
    if (name === "when" && value.json !== "true") break;
    if (name === "case" && value.json !== "false") break;
  }
  return found;
}

type Named = readonly [name: string, planned: PlannedExpression | undefined];

function ofStep(plan: StepPlan): readonly Named[] {
  return [["when", plan.when], ["lock", plan.lock], ...ofAction(plan)];
}

function ofCompensation({ compensate }: StepPlan): readonly Named[] {
  if (compensate === undefined) return [];
  const { when, undo } = compensate;
  return [["when", when], ...(undo.kind === "call" ? ofCall(undo.call) : [])];
}

function ofCall({ request, headers }: CallPlan): readonly Named[] {
  return [
    ["request", request],
    ...headers.map((header): Named => [`header ${header.key}`, "value" in header ? header.value : undefined]),
  ];
}

function ofAction({ action }: StepPlan): readonly Named[] {
  switch (action.kind) {
    case "call":
      return ofCall(action.call);
    case "switch":
      return action.cases.map(({ when }): Named => ["case", when]);
    case "forEach":
      return [["in", action.forEach.in]];
    case "loop":
      return action.loop.carries.map(({ name, init }): Named => [`carry ${name} init`, init]);
    case "waitUntil":
      return [["until", action.until]];
    case "let":
    case "return":
    case "yield":
      return [["value", action.value]];
    case "fail":
      return [["message", action.fail.message], ...action.fail.details.map(({ type, value }): Named => [type, value])];
    case "signal":
      return [["deadline", action.signal.deadline]];
    case "approve": {
      const { title, detail, approvers, deadline } = action.approval;
      return [
        ["title", title],
        ["detail", detail],
        ["approvers", approvers],
        ["deadline", deadline],
      ];
    }
    case "run":
      return [
        ["request", action.run.request],
        ["key", action.run.key],
      ];
    case "emit":
      return [
        ["subject", action.emit.subject],
        ["message", action.emit.message],
      ];
    case "parallel":
    case "try":
    case "compensateNow":
    case "wait":
      return [];
  }
}

function evaluate(plan: LoadedPlan, place: Place, name: string, planned: PlannedExpression): EvaluatedExpression {
  const { expression, isRedacted } = planned;
  const blank = { name, text: expression.source, json: "", error: "", hidden: false };
  if (isRedacted || expression.reads.some((variable) => isKeptApart(place, variable)))
    return { ...blank, hidden: true };
  const evaluated = expression.evaluate(bindingsOf(place), budgetOf(place));
  if (evaluated.kind === "failed") return { ...blank, error: evaluated.message };
  return { ...blank, json: toJson(plan, evaluated.value) };
}

function toJson({ registry }: LoadedPlan, raw: RawValue): string {
  switch (raw.kind) {
    case "bool":
    case "string":
      return JSON.stringify(raw.value);
    case "timestamp": {
      const { seconds, nanos } = raw.value;
      return JSON.stringify(new Date(Number(seconds) * 1000 + nanos / 1e6).toISOString());
    }
    case "kept":
      return toJsonText(
        { type: raw.value.type, bytes: shownBytes(registry, raw.value.type, raw.value.bytes) },
        registry,
      );
  }
}
