import { code } from "../../../proto/wire/status.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { evaluateInboundKey, misfitOf } from "../processor/inbound.ts";
import { absenceFailure, refusalFailure, tooLarge, workflowNotFound } from "./failure.ts";
import { tooLong } from "./lengths.ts";
import { keyNotFound, notInVersion, wrongType } from "./runFailure.ts";
import type { IngressOptions } from "./starting.ts";
import { done, failed } from "./unary.ts";
import type { Answered } from "./unary.ts";

/** Answers an rpc with (query) from a run's variables; writes nothing. */
export async function askRun(
  method: string,
  workflow: string,
  request: Uint8Array,
  { front, definitions, payloadBytesMax }: IngressOptions,
): Promise<Answered<{ readonly runId: RunId; readonly response: Uint8Array }>> {
  if (request.length > payloadBytesMax) return failed(tooLarge(request.length, payloadBytesMax));
  const active = await definitions.active(workflow);
  const query = active?.plan.queries.find((one) => one.method === method);
  if (active === undefined || query === undefined) return failed(workflowNotFound(method));
  const misfit = misfitOf(active.plan, query.requestType, request);
  if (misfit !== undefined) return failed(wrongType(misfit));
  const key = evaluateInboundKey(query.key, request);
  if (key.kind === "failed") return failed(refusalFailure({ kind: "invalid", message: key.message }));
  const long = tooLong({ key: key.key });
  if (long !== undefined) return failed(long);
  const found = await front.find(workflow, key.key);
  if (found.kind === "unknown") return failed(keyNotFound(workflow, key.key));
  if (found.kind === "unavailable") return failed(refusalFailure(found));
  const { runId } = found;
  const answer = await front.query(runId, { method, request });
  switch (answer.kind) {
    case "answer":
      return done({ runId, response: answer.response });
    case "noQuery":
      return failed(notInVersion(runId, `query ${method}`, []));
    case "failed":
      return failed({
        code: code.INTERNAL,
        message: answer.message,
        reason: "EXPRESSION",
        metadata: { run_id: runId },
      });
    case "unknown":
    case "unavailable":
      return failed(absenceFailure(runId, answer));
  }
}
