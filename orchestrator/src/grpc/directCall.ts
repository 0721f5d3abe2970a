import type { ServerUnaryCall } from "@grpc/grpc-js";
import {
  Call_OnDoubt as OnDoubt,
  Call_OnExhausted as OnExhausted,
  Plan,
  Step,
} from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Call } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { CallRequest, CallResponse } from "../../../proto/gen/sidestep/v1/runs.ts";
import { planRevision } from "../processor/inbound.ts";
import { endOfRun, runIdMetadata } from "./ingress.ts";
import { parseMethod } from "./methodName.ts";
import { invalidNumber, notAMethod } from "./runFailure.ts";
import { startRun } from "./starting.ts";
import type { IngressOptions } from "./starting.ts";
import { done, failed } from "./unary.ts";
import type { Answered } from "./unary.ts";

/** What stands for a workflow in runs that are one call. */
const workflow = "sidestep.v1.Runs/Call";
const timeoutMsDefault = 30_000;
const timeoutMsMax = 3_650 * 86_400_000;
const attemptsDefault = 8;
const attemptsMax = 1_000;

/** One durable call of a method whose types nobody here knows: its bytes pass as they are. Undefined: nobody listens any more. */
export async function callDurably(
  call: ServerUnaryCall<CallRequest, CallResponse>,
  options: IngressOptions,
): Promise<Answered<CallResponse> | undefined> {
  const { method, request, idempotencyKey, maxAttempts, timeout, detach } = call.request;
  if (parseMethod(method) === undefined) return failed(notAMethod(method));
  const timeoutMs =
    timeout === undefined ? timeoutMsDefault : Number(timeout.seconds) * 1000 + Math.floor(timeout.nanos / 1e6);
  if (timeoutMs < 1 || timeoutMs > timeoutMsMax) return failed(invalidNumber("timeout", "from 1ms to 3650d"));
  if (maxAttempts > attemptsMax) return failed(invalidNumber("max_attempts", `at most ${attemptsMax}`));
  const plan = toPlan(method, timeoutMs, maxAttempts === 0 ? attemptsDefault : maxAttempts);
  const started = await startRun(
    {
      active: () => options.definitions.keep(plan),
      workflow,
      request,
      // The same key for another method is another request.
      sameAs: Buffer.concat([Buffer.from(`${method}\0`), request]),
      metadata: call.metadata,
      idempotencyKey: idempotencyKey === "" ? undefined : idempotencyKey,
      deadlineMs: Number(call.getDeadline()),
    },
    options,
  );
  if (started.kind === "failure") return failed(started.failure);
  const { runId } = started;
  if (call.cancelled) return undefined;
  call.sendMetadata(runIdMetadata(runId));
  if (detach) return done({ runId, response: new Uint8Array() });
  const end = await endOfRun(runId, call, options);
  if (end === undefined) return undefined;
  return end instanceof Uint8Array ? done({ runId, response: end }) : failed(end);
}

/** A plan of one call that sends the run's request and answers with what comes. */
function toPlan(method: string, timeoutMs: number, attempts: number): Plan {
  const call: Call = {
    method,
    request: undefined,
    headers: [],
    timeoutMs,
    stepTimeoutMs: undefined,
    queueNoticeMs: 300_000,
    retry: { attemptsMax: attempts, backoffMs: 500, backoffMaxMs: 60_000, multiplier: 2, on: [] },
    onDoubt: OnDoubt.RETRY,
    onExhausted: OnExhausted.ON_EXHAUSTED_FAIL,
    idempotent: false,
    requestType: "",
    responseType: "",
    verify: undefined,
    serverStreaming: false,
    messagesMax: 0,
    bytesMax: 0,
    passesInput: true,
  };
  const step: Step = {
    ...Step.decode(new Uint8Array()),
    name: "call",
    id: "call",
    kind: { $case: "call", value: call },
  };
  return {
    ...Plan.decode(new Uint8Array()),
    workflow,
    engineRevision: planRevision,
    retentionMs: 0,
    body: { steps: [step], result: undefined },
    outputStep: 0,
    stepCount: 1,
    methods: [method],
  };
}
