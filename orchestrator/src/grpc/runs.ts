import type { Metadata, ServerUnaryCall } from "@grpc/grpc-js";
import { randomUUID } from "node:crypto";
import type { Run } from "../../../proto/gen/sidestep/v1/run.ts";
import type {
  RunsServer,
  StartRunRequest,
  StartRunResponse,
  TraceRunResponse,
  WaitRunRequest,
  WaitRunResponse,
} from "../../../proto/gen/sidestep/v1/runs.ts";
import type { RunHistoryRequest, RunHistoryResponse } from "../../../proto/gen/sidestep/v1/runs.ts";
import { idempotencyKeyHeader } from "../../../proto/wire/headers.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import type { LogRecord } from "../engine/record.ts";
import type { RunRequest } from "../processor/front.ts";
import { isWithoutSidecar } from "./catalog.ts";
import type { Catalog } from "./catalog.ts";
import { absenceFailure, toServiceError } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { header, startRun } from "./starting.ts";
import type { IngressOptions } from "./starting.ts";
import { done, failed, unary } from "./unary.ts";
import type { Answered } from "./unary.ts";

const requestTimeoutMs = 10_000;
const waitMsDefault = 30_000;
const pageMax = 1000;

/** A run's spans, from its records. */
export type ShowTrace = (runId: RunId, plan: LoadedPlan, records: readonly LogRecord[]) => TraceRunResponse;

/** sidestep.v1.Runs over the front; Get tells besides whether a step waits for a sidecar that isn't there. */
export function runsService(options: IngressOptions, catalog: Catalog, showTrace: ShowTrace): RunsServer {
  const { front } = options;
  return {
    start: unary((call) => start(call, options)),
    get: unary((call) =>
      ofRun(call.request.runId, async (runId) => {
        const got = await front.get(runId);
        return got.kind === "run" ? done({ run: withSidecars(got.run, catalog) }) : failed(absenceFailure(runId, got));
      }),
    ),
    wait: unary((call) => ofRun(call.request.runId, (runId) => wait(runId, call, options))),
    history: unary((call) => ofRun(call.request.runId, (runId) => history(runId, call.request, options))),
    trace: unary((call) =>
      ofRun(call.request.runId, async (runId) => {
        const got = await front.records(runId);
        return got.kind === "records"
          ? done(showTrace(runId, got.plan, got.records))
          : failed(absenceFailure(runId, got));
      }),
    ),
    cancel: unary(({ request: { runId, reason }, metadata }) =>
      ofRun(runId, (id) =>
        ask(id, { kind: "cancel", event: { reason, actor: "", requestId: requestId(metadata) } }, options),
      ),
    ),
    terminate: unary(({ request: { runId, reason }, metadata }) =>
      ofRun(runId, (id) =>
        ask(id, { kind: "terminate", event: { reason, actor: "", requestId: requestId(metadata) } }, options),
      ),
    ),
    retry: unary((call) =>
      ofRun(call.request.runId, (id) => askIncident("retry", id, call.request, requestId(call.metadata), options)),
    ),
    skip: unary(() => later()),
    patch: unary(() => later()),
    compensate: unary(() => later()),
    pause: unary(() => later()),
    resume: unary(() => later()),
    signal: unary(() => later()),
    listApprovals: unary(() => later()),
    decide: unary(() => later()),
    call: unary(() => later()),
    hold: unary(() => later()),
    release: unary(() => later()),
    listHolds: unary(() => later()),
    follow: (call) => call.emit("error", toServiceError(notYet)),
    fail: unary((call) =>
      ofRun(call.request.runId, (id) => askIncident("fail", id, call.request, requestId(call.metadata), options)),
    ),
  };
}

const notYet: Failure = { code: code.UNIMPLEMENTED, message: "this version does not answer it yet", reason: "NOT_YET" };

function later(): Promise<Answered<never>> {
  return Promise.resolve(failed(notYet));
}

async function ofRun<T>(text: string, work: (runId: RunId) => Promise<Answered<T>>): Promise<Answered<T>> {
  const runId = parseRunId(text);
  if (runId !== undefined) return work(runId);
  const message = `"${text}" is no run id: 32 hex digits in lower case were expected`;
  return failed({ code: code.INVALID_ARGUMENT, message, reason: "INVALID_RUN_ID" });
}

async function start(
  call: ServerUnaryCall<StartRunRequest, StartRunResponse>,
  options: IngressOptions,
): Promise<Answered<StartRunResponse>> {
  const { request, metadata } = call;
  const started = await startRun(
    {
      workflow: request.workflow,
      request: request.request,
      metadata,
      idempotencyKey: request.idempotencyKey === "" ? undefined : request.idempotencyKey,
      deadlineMs: Number(call.getDeadline()),
    },
    options,
  );
  if (started.kind === "failure") return failed(started.failure);
  return done({ runId: started.runId, joined: started.joined });
}

async function wait(
  runId: RunId,
  call: ServerUnaryCall<WaitRunRequest, WaitRunResponse>,
  { front, closing }: IngressOptions,
): Promise<Answered<WaitRunResponse>> {
  const { timeout } = call.request;
  const askedMs = timeout === undefined ? waitMsDefault : Number(timeout.seconds) * 1000 + timeout.nanos / 1e6;
  const leftMs = Number(call.getDeadline()) - Date.now() - 250;
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  call.on("cancelled", leave);
  const forget = closing.onClose(leave);
  const timer = setTimeout(leave, Math.max(0, Math.min(askedMs, leftMs, 0x7fffffff)));
  try {
    const waited = await front.wait(runId, gone.signal);
    if (waited.kind === "unknown") return failed(absenceFailure(runId, waited));
    const got = await front.get(runId);
    if (got.kind !== "run") return failed(absenceFailure(runId, got));
    return done({ done: waited.kind === "ended", run: waited.kind === "ended" ? { ...got.run, steps: [] } : got.run });
  } finally {
    clearTimeout(timer);
    call.off("cancelled", leave);
    forget();
  }
}

async function history(
  runId: RunId,
  request: RunHistoryRequest,
  { front }: IngressOptions,
): Promise<Answered<RunHistoryResponse>> {
  const after = request.pageToken === "" ? 0 : Number(request.pageToken);
  if (!Number.isSafeInteger(after) || after < 0) {
    return failed({
      code: code.INVALID_ARGUMENT,
      message: "page_token is none that was given out",
      reason: "INVALID_PAGE_TOKEN",
    });
  }
  const limit = request.pageSize > 0 ? Math.min(request.pageSize, pageMax) : pageMax;
  const got = await front.history(runId, after, limit);
  if (got.kind !== "history") return failed(absenceFailure(runId, got));
  return done({ events: got.events, nextPageToken: got.next === undefined ? "" : String(got.next) });
}

async function ask(runId: RunId, request: RunRequest, { front }: IngressOptions): Promise<Answered<object>> {
  const result = await front.request(runId, request, AbortSignal.timeout(requestTimeoutMs));
  if (result.kind !== "done") return failed(absenceFailure(runId, result));
  if (!result.ignored) return done({});
  if (request.kind === "retry" || request.kind === "fail") return failed(noIncident(runId));
  // A run that is being undone already has what was asked for.
  const got = await front.get(runId);
  return got.kind === "run" && got.run.endedAt === undefined ? done({}) : failed(runEnded(runId));
}

async function askIncident(
  kind: "retry" | "fail",
  runId: RunId,
  { step, reason }: { readonly step: string; readonly reason: string },
  id: string,
  options: IngressOptions,
): Promise<Answered<object>> {
  const got = await options.front.get(runId);
  if (got.kind !== "run") return failed(absenceFailure(runId, got));
  const incidents = got.run.incidents.filter((one) => step === "" || one.step === step);
  const [incident, another] = incidents;
  if (incident === undefined) return failed(noIncident(runId));
  if (another !== undefined)
    return failed(
      severalIncidents(
        runId,
        incidents.map((one) => one.step),
      ),
    );
  const event = { step: incident.step, compensation: incident.compensation, reason, actor: "", requestId: id };
  return ask(runId, { kind, event }, options);
}

function withSidecars(run: Run, catalog: Catalog): Run {
  if (!run.steps.some((step) => isWithoutSidecar(step, catalog))) return run;
  return {
    ...run,
    steps: run.steps.map((step) => (isWithoutSidecar(step, catalog) ? { ...step, noSidecar: true } : step)),
  };
}

/** The same request again, told by the caller's idempotency-key header, is folded once. */
function requestId(metadata: Metadata): string {
  return header(metadata, idempotencyKeyHeader) ?? randomUUID();
}

function runEnded(runId: string): Failure {
  return {
    code: code.FAILED_PRECONDITION,
    message: `the run ${runId} has ended`,
    reason: "RUN_ENDED",
    metadata: { run_id: runId },
  };
}

function noIncident(runId: string): Failure {
  const message = `the run ${runId} has no such incident`;
  return { code: code.FAILED_PRECONDITION, message, reason: "NO_INCIDENT", metadata: { run_id: runId } };
}

function severalIncidents(runId: string, steps: readonly string[]): Failure {
  const message = `the run ${runId} has several incidents; name one step (--step): ${steps.join(", ")}`;
  return { code: code.FAILED_PRECONDITION, message, reason: "SEVERAL_INCIDENTS", metadata: { run_id: runId } };
}
