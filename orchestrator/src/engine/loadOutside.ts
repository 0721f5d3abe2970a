import type { Approval, ChildRun, Emit, WaitSignal } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import { toExpression, toRequired } from "./loader.ts";
import type { Loader } from "./loader.ts";
import type { ApprovalPlan, ChildRunPlan, DuePlan, EmitPlan, WaitSignalPlan } from "./plan.ts";

/** A step that waits for a signal. */
export function toWaitSignal(loader: Loader, signal: WaitSignal): WaitSignalPlan {
  const { name, type } = signal;
  return { name, type, when: toExpression(loader, signal.when), ...toDue(loader, signal) };
}

/** A step that waits for a person. */
export function toApproval(loader: Loader, approval: Approval): ApprovalPlan {
  return {
    title: toExpression(loader, approval.title),
    detail: toExpression(loader, approval.detail),
    approvers: toExpression(loader, approval.approvers),
    type: approval.type,
    ...toDue(loader, approval),
    onReject: approval.onReject === undefined ? undefined : loader.block(loader, approval.onReject),
  };
}

function toDue(loader: Loader, { timeoutMs, deadline, onTimeout }: WaitSignal | Approval): DuePlan {
  return {
    timeoutMs,
    deadline: toExpression(loader, deadline),
    onTimeout: onTimeout === undefined ? undefined : loader.block(loader, onTimeout),
  };
}

/** A step that runs another workflow. */
export function toChildRun(loader: Loader, run: ChildRun): ChildRunPlan {
  return {
    method: run.method,
    request: toExpression(loader, run.request),
    key: toExpression(loader, run.key),
    detach: run.detach,
    responseType: run.responseType,
  };
}

/** A step that publishes a message. */
export function toEmit(loader: Loader, { subject, type, message }: Emit): EmitPlan {
  return { subject: toRequired(loader, subject, "subject"), type, message: toExpression(loader, message) };
}
