import type { DecisionMade } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import { Decision } from "../../../../proto/gen/sidestep/v1/workflow.ts";
import { code } from "../../../../proto/wire/status.ts";
import { refuse } from "../draft.ts";
import type { Draft } from "../draft.ts";
import { evaluateText, evaluateTexts } from "../evaluate.ts";
import type { Evaluation, Place } from "../evaluate.ts";
import { toFailure } from "../failure.ts";
import { fitsPayload } from "../limits.ts";
import type { LiveStep } from "../live.ts";
import { makeOutside } from "../outside.ts";
import type { OpenApproval } from "../outside.ts";
import { takePlace } from "../place.ts";
import type { ApprovalPlan, PlannedExpression } from "../plan.ts";
import { isDoubled, rememberRequest } from "../requests.ts";
import { withVariable } from "../scope.ts";
import { stepAt } from "../state.ts";
import type { RunState } from "../state.ts";
import { completeStep, failStep } from "../step.ts";
import { toTimestamp } from "../time.ts";
import { armDue, enterInstead, evaluateDue, passDue } from "./due.ts";

/** Asks people, and waits for one of them to decide. */
export function beginApproval(draft: Draft, step: LiveStep, plan: ApprovalPlan): void {
  const { state } = draft;
  const approval = openApproval(draft, step, plan);
  if (approval.kind === "failed") {
    failStep(draft, step, approval.failure);
    return;
  }
  const due = evaluateDue(draft, step, plan);
  if (due.kind === "failed") failStep(draft, step, due.failure);
  else if (due.value <= state.nowMs) passDue(draft, step);
  else if (takePlace(draft, step)) {
    step.state = { kind: "asking", approval: approval.value, timer: armDue(draft, step, due.value) };
    state.approvals.add(step);
  }
}

function openApproval({ state }: Draft, step: LiveStep, plan: ApprovalPlan): Evaluation<OpenApproval> {
  const place: Place = { state, scope: step.frame.scope, step: step.path };
  const title = textOf(place, plan.title);
  if (title.kind === "failed") return title;
  const detail = textOf(place, plan.detail);
  if (detail.kind === "failed") return detail;
  const open = { title: title.value, detail: detail.value, sinceMs: state.nowMs };
  if (plan.approvers === undefined) return { kind: "value", value: { ...open, approvers: undefined } };
  const approvers = evaluateTexts(place, plan.approvers);
  if (approvers.kind === "failed") return approvers;
  // Nobody is not anybody: it would wait for ever.
  if (approvers.value.length === 0) {
    const message = "the list of approvers is empty: nobody may decide";
    const failure = toFailure(state.runId, step.path, code.FAILED_PRECONDITION, "NO_APPROVERS", message);
    return { kind: "failed", failure };
  }
  return { kind: "value", value: { ...open, approvers: approvers.value } };
}

function textOf(place: Place, planned: PlannedExpression | undefined): Evaluation<string> {
  return planned === undefined ? { kind: "value", value: "" } : evaluateText(place, planned);
}

/** A person decided. Counts while the step waits, once, and from one who may. */
export function decideApproval(draft: Draft, made: DecisionMade): boolean {
  const { state } = draft;
  if (isDoubled(state, made.requestId)) return refuse(draft, "DUPLICATE");
  const step = approvalAt(state, made.step);
  if (step?.state.kind !== "asking" || step.plan.action.kind !== "approve") return refuse(draft, "NO_APPROVAL");
  const { approvers } = step.state.approval;
  if (approvers !== undefined && !approvers.includes(made.by)) return refuse(draft, "NOT_AN_APPROVER");
  if (!fitsPayload(state, made.form.length)) return refuse(draft, "PAYLOAD_TOO_LARGE");
  rememberRequest(state, made.requestId);
  const { approval } = step.plan.action;
  const decision: Decision = {
    approved: made.approved,
    by: made.by,
    comment: made.comment,
    at: toTimestamp(state.nowMs),
  };
  step.outside ??= makeOutside();
  step.outside.decision = decision;
  if (!made.approved) reject(draft, step, approval, decision);
  else if (approval.type !== "") completeStep(draft, step, { type: approval.type, bytes: made.form });
  else completeStep(draft, step, { type: "sidestep.v1.Decision", bytes: Decision.encode(decision).finish() });
  return true;
}

/** The approval at a path; an empty path means the only one there is. */
function approvalAt(state: RunState, path: string): LiveStep | undefined {
  if (path !== "") return stepAt(state, path);
  for (const step of state.approvals) return state.approvals.size === 1 ? step : undefined;
  return undefined;
}

function reject(draft: Draft, step: LiveStep, { onReject }: ApprovalPlan, decision: Decision): void {
  if (onReject !== undefined) {
    const scope = withVariable(step.frame.scope, "decision", Decision.encode(decision).finish());
    enterInstead(draft, step, onReject, scope);
    return;
  }
  const by = decision.by === "" ? "" : ` by ${decision.by}`;
  const message = decision.comment === "" ? `rejected${by}` : `rejected${by}: ${decision.comment}`;
  failStep(draft, step, toFailure(draft.state.runId, step.path, code.PERMISSION_DENIED, "REJECTED", message));
}
