import type { BlockPlan, LoadedPlan, PlannedExpression, StepPlan } from "../../../orchestrator/src/engine/plan.ts";

/** A way that a run may take. */
export interface Arm {
  /** Of the step that has it, by name. */
  readonly step: string;
  /** "case[1]", "default", "when true", "catch[0]", "on_timeout" … */
  readonly name: string;
  /** The condition that leads there, if there is one. */
  readonly condition: PlannedExpression | undefined;
  /** Indexes of the steps of which one begins when it is taken; of "when false" and of empty blocks, none. */
  readonly steps: readonly number[];
  /** The step itself is skipped. */
  readonly isSkip: boolean;
}

/** All arms of a workflow, and all conditions in it. */
export function armsOf(plan: LoadedPlan): readonly Arm[] {
  return plan.steps.flatMap((step) => [...whenArms(step), ...actionArms(step)]);
}

/** What an arm is called. */
export function armName({ step, name }: Arm): string {
  return `${step} ${name}`;
}

function whenArms(step: StepPlan): readonly Arm[] {
  const { when, index, name } = step;
  if (when === undefined) return [];
  return [
    { step: name, name: "when true", condition: when, steps: [index], isSkip: false },
    { step: name, name: "when false", condition: when, steps: [index], isSkip: true },
  ];
}

function actionArms({ action, name }: StepPlan): readonly Arm[] {
  const arm = (kind: string, block: BlockPlan | undefined, condition?: PlannedExpression): readonly Arm[] => {
    const first = block?.steps[0];
    return first === undefined ? [] : [{ step: name, name: kind, condition, steps: [first.index], isSkip: false }];
  };
  switch (action.kind) {
    case "switch":
      return [
        ...action.cases.flatMap(({ when, block }, at) => arm(`case[${at}]`, block, when)),
        ...arm("default", action.otherwise),
      ];
    case "try":
      return [
        ...action.try.catches.flatMap(({ when, block }, at) => arm(`catch[${at}]`, block, when)),
        ...arm("finally", action.try.finally),
      ];
    case "signal":
      return arm("on_timeout", action.signal.onTimeout);
    case "approve":
      return [...arm("on_timeout", action.approval.onTimeout), ...arm("on_reject", action.approval.onReject)];
    case "forEach":
      return arm("each", action.forEach.body, action.forEach.in);
    case "loop":
      return arm("pass", action.loop.body, action.loop.while ?? action.loop.until);
    case "call":
    case "parallel":
    case "compensateNow":
    case "wait":
    case "waitUntil":
    case "let":
    case "fail":
    case "return":
    case "run":
    case "emit":
    case "yield":
      return [];
  }
}
