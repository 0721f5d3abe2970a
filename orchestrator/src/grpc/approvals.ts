import type { Metadata } from "@grpc/grpc-js";
import type { PendingApproval } from "../../../proto/gen/sidestep/v1/run.ts";
import type { DecideRequest } from "../../../proto/gen/sidestep/v1/runs.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import { misfitOf } from "../processor/inbound.ts";
import { actorOf, mayDecideAs } from "./access.ts";
import { absenceFailure, tooLarge } from "./failure.ts";
import { withFitting } from "./fitting.ts";
import { tooLong } from "./lengths.ts";
import { noApproval, notAnApprover, notYourName, severalApprovals, wrongType } from "./runFailure.ts";
import { steer } from "./steering.ts";
import type { IngressOptions } from "./starting.ts";
import { failed } from "./unary.ts";
import type { Answered } from "./unary.ts";

/** Decides an approval: who may not, or fills in what is not of its type, is refused before anything is written. */
export async function decide(
  runId: RunId,
  asked: DecideRequest,
  metadata: Metadata,
  requestId: string,
  options: Pick<IngressOptions, "front" | "payloadBytesMax">,
): Promise<Answered<object>> {
  const { step, comment, approved, form } = asked;
  const actor = actorOf(metadata);
  const by = asked.by === "" ? actor : asked.by;
  const long = tooLong({ "step path": step, by, comment, key: requestId });
  if (long !== undefined) return failed(long);
  if (form.length > options.payloadBytesMax) return failed(tooLarge(form.length, options.payloadBytesMax));
  const got = await options.front.get(runId);
  if (got.kind !== "run") return failed(absenceFailure(runId, got));
  const waiting = got.run.approvals.filter((one) => step === "" || one.step === step);
  const [approval, another] = waiting;
  if (approval === undefined) return failed(withFitting(noApproval(runId), got.run));
  const steps = waiting.map((one) => one.step);
  if (another !== undefined) return failed(severalApprovals(runId, steps));
  if (approval.approvers.length > 0 && !approval.approvers.includes(by))
    return failed(notAnApprover(runId, approval.step, by));
  if (!mayDecideAs(by, metadata)) return failed(notYourName(runId, by, actor));
  const misfit = misfitOfForm(got.plan, approval, approved, form);
  if (misfit !== undefined) return failed(wrongType(misfit));
  const event = { step: approval.step, approved, form, by, comment, requestId, actor };
  return steer(runId, { kind: "decide", event }, options);
}

function misfitOfForm(
  plan: LoadedPlan,
  { step, type }: PendingApproval,
  isApproved: boolean,
  form: Uint8Array,
): string | undefined {
  if (type === "")
    return form.length === 0 ? undefined : `${step} asks for nothing to be filled in: leave the form empty`;
  if (!isApproved) return form.length === 0 ? undefined : `who refuses ${step} fills in nothing: leave the form empty`;
  return misfitOf(plan, type, form);
}
