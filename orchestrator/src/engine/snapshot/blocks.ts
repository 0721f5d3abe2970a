import type { BlockPlan, StepPlan } from "../plan.ts";

/**
 * All blocks of a step, in an order that never changes: snapshots name a block by its place here. A kind that gets another block has it at
 * the end.
 */
export function blocksOf({ action }: StepPlan): readonly (BlockPlan | undefined)[] {
  switch (action.kind) {
    case "switch":
      return [action.otherwise, ...action.cases.map(({ block }) => block)];
    case "parallel":
      return action.branches;
    case "forEach":
      return [action.forEach.body];
    case "loop":
      return [action.loop.body];
    case "try":
      return [action.try.body, action.try.finally, ...action.try.catches.map(({ block }) => block)];
    case "signal":
      return [action.signal.onTimeout];
    case "approve":
      return [action.approval.onTimeout, action.approval.onReject];
    case "run":
    case "emit":
    case "yield":
    case "call":
    case "wait":
    case "waitUntil":
    case "let":
    case "fail":
    case "return":
    case "compensateNow":
      return [];
  }
}
