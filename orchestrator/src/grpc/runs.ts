import type { Metadata, ServerUnaryCall } from "@grpc/grpc-js";
import { randomUUID } from "node:crypto";
import type { ArchivedRun } from "../../../proto/gen/sidestep/internal/v1/archive.ts";
import { BulkAction_Kind } from "../../../proto/gen/sidestep/v1/runs.ts";
import type { Run } from "../../../proto/gen/sidestep/v1/run.ts";
import type {
  RunsServer,
  SignalRunRequest,
  SignalRunResponse,
  StartRunRequest,
  StartRunResponse,
  TraceRunResponse,
  WaitRunRequest,
  WaitRunResponse,
} from "../../../proto/gen/sidestep/v1/runs.ts";
import { idempotencyKeyHeader } from "../../../proto/wire/headers.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import type { LogRecord } from "../engine/record.ts";
import { actorOf, refusalOf } from "./access.ts";
import { getBulk, listBulks, previewBulk, startBulk, stopBulk } from "./bulks.ts";
import type { BulksOptions } from "./bulks.ts";
import { decide } from "./approvals.ts";
import { withCatalog } from "./catalog.ts";
import type { Catalog } from "./catalog.ts";
import { deleteRun } from "./deleting.ts";
import { callDurably } from "./directCall.ts";
import { explainRun, explainRuns } from "./explaining.ts";
import { absenceFailure, thrownFailure, toServiceError } from "./failure.ts";
import { hold, listHolds, release } from "./heldTargets.ts";
import { history } from "./history.ts";
import { leaveIncident } from "./incidents.ts";
import type { Asked } from "./incidents.ts";
import { openIndexWatch } from "./changes.ts";
import { tooLong } from "./lengths.ts";
import { countRuns, getIndex, listIncidents, listRuns } from "./listing.ts";
import type { ListsOptions } from "./listing.ts";
import { clearLimit, listLimits, setLimit } from "./methodLimits.ts";
import type { LimitStore } from "./methodLimits.ts";
import { migrate, previewMigration } from "./migrating.ts";
import { exportRun, importRun } from "./runFiles.ts";
import type { RunFiles } from "./runFiles.ts";
import { rerun } from "./rerunning.ts";
import { rebuildIndex } from "./rebuild.ts";
import { runIdMetadata } from "./ingress.ts";
import type { Signals } from "./signals.ts";
import { header, startRun } from "./starting.ts";
import type { IngressOptions } from "./starting.ts";
import { invalidRunId, ofRun } from "./ofRun.ts";
import { steer } from "./steering.ts";
import type { Steered } from "./steering.ts";
import { describeStep } from "./stepDetails.ts";
import type { ShowStep } from "./stepDetails.ts";
import { follow, invalidOffset } from "./streaming.ts";
import type { Inspected } from "../processor/front.ts";
import type { KeptTraces } from "./tracesService.ts";
import { done, failed, unary } from "./unary.ts";
import type { Answered } from "./unary.ts";
import { watch } from "./watching.ts";

const waitMsDefault = 30_000;

/** A run's spans, from its records. */
export type ShowTrace = (runId: RunId, plan: LoadedPlan, records: readonly LogRecord[]) => TraceRunResponse;

/** What sidestep.v1.Runs needs besides what every ingress does. */
export interface RunsOptions extends IngressOptions, ListsOptions, BulksOptions {
  readonly catalog: Catalog;
  readonly limits: LimitStore;
  readonly showTrace: ShowTrace;
  readonly showStep: ShowStep;
  readonly signals: Signals;
  readonly files: RunFiles;
  /** Base of a Jaeger's pages; absent: traces have no address. */
  readonly jaegerUrl?: string | undefined;
  /** Set: the console shows traces. */
  readonly traces?: KeptTraces | undefined;
}

/** sidestep.v1.Runs over the front; Get tells besides whether a step waits for a sidecar that isn't there. */
export function runsService(options: RunsOptions): RunsServer {
  return {
    ...starts(options),
    ...shows(options),
    ...watches(options),
    ...lists(options),
    ...steering(options),
    ...incidents(options),
    ...people(options),
    ...limits(options),
    ...bulks(options),
  };
}

function watches(options: RunsOptions): Pick<RunsServer, "watch"> {
  const shown = (inspected: Pick<Inspected, "run" | "plan">): Run => withSidecars(inspected, options.catalog);
  const archived = async (runId: RunId): Promise<Run | undefined> => (await archivedRun(runId, options))?.run;
  return {
    watch: (call) => {
      const runId = parseRunId(call.request.runId);
      const { after } = call.request;
      if (runId === undefined) return void call.emit("error", toServiceError(invalidRunId(call.request.runId)));
      if (after > BigInt(Number.MAX_SAFE_INTEGER))
        return void call.emit("error", toServiceError(invalidOffset(String(after))));
      const { front, closing } = options;
      watch(call, runId, Number(after), { front, closing, shown, archived }).catch((error: unknown) =>
        call.emit("error", toServiceError(thrownFailure(error))),
      );
    },
  };
}

function starts(options: RunsOptions): Pick<RunsServer, "start" | "wait" | "call" | "follow"> {
  return {
    start: unary((call) => start(call, options)),
    wait: unary((call) => ofRun(call.request.runId, (runId) => wait(runId, call, options))),
    call: unary((call) => callDurably(call, options)),
    follow: (call) => {
      const runId = parseRunId(call.request.runId);
      const { from } = call.request;
      if (runId === undefined) return void call.emit("error", toServiceError(invalidRunId(call.request.runId)));
      if (from > BigInt(Number.MAX_SAFE_INTEGER))
        return void call.emit("error", toServiceError(invalidOffset(String(from))));
      const toMessage = (number: number, message: Uint8Array) => ({ number: BigInt(number), message });
      follow(call, { runId, from: Number(from), toMessage }, options).catch((error: unknown) =>
        call.emit("error", toServiceError(thrownFailure(error))),
      );
    },
  };
}

function shows(
  options: RunsOptions,
): Pick<RunsServer, "get" | "explain" | "explainRuns" | "history" | "describeStep" | "trace" | "listApprovals"> {
  const { front, catalog, showTrace, showStep } = options;
  const archived = (runId: RunId): Promise<ArchivedRun | undefined> => archivedRun(runId, options);
  const told = (run: Run) => done({ run, traceUrl: traceUrl(options, run.traceId) });
  return {
    get: unary((call) =>
      ofRun(call.request.runId, async (runId) => {
        const got = await front.get(runId);
        if (got.kind === "run") return told(withSidecars(got, catalog));
        const kept = got.kind === "unknown" ? await archived(runId) : undefined;
        return kept?.run === undefined ? failed(absenceFailure(runId, got)) : told(kept.run);
      }),
    ),
    explainRuns: unary(({ request }) => explainRuns(request.runIds, options, Date.now())),
    explain: unary((call) => ofRun(call.request.runId, (runId) => explainRun(runId, options, Date.now()))),
    history: unary((call) => ofRun(call.request.runId, (runId) => history(runId, call.request, { front, archived }))),
    describeStep: unary(({ request }) =>
      ofRun(request.runId, (runId) => describeStep(runId, request, { front, showStep, archived })),
    ),
    trace: unary((call) =>
      ofRun(call.request.runId, async (runId) => {
        const got = await front.records(runId);
        if (got.kind === "records") return done(showTrace(runId, got.plan, got.records));
        const kept = got.kind === "unknown" ? await archived(runId) : undefined;
        return kept?.trace === undefined ? failed(absenceFailure(runId, got)) : done(kept.trace);
      }),
    ),
    listApprovals: unary((call) =>
      ofRun(call.request.runId, async (runId) => {
        const got = await front.get(runId);
        return got.kind === "run" ? done({ approvals: got.run.approvals }) : failed(absenceFailure(runId, got));
      }),
    ),
  };
}

function lists(
  options: RunsOptions,
): Pick<RunsServer, "list" | "count" | "listIncidents" | "getIndex" | "watchIndex" | "rebuildIndex"> {
  const indexWatch = openIndexWatch(options);
  return {
    watchIndex: (call) => indexWatch.follow(call),
    list: unary(({ request }) => listRuns(request, options)),
    count: unary(({ request }) => countRuns(request, options)),
    listIncidents: unary(({ request }) => listIncidents(request, options)),
    getIndex: unary(() => getIndex(options)),
    rebuildIndex: (call) => {
      rebuildIndex(call, options).catch((error: unknown) => call.emit("error", toServiceError(thrownFailure(error))));
    },
  };
}

function steering(
  options: RunsOptions,
): Pick<
  RunsServer,
  | "cancel"
  | "terminate"
  | "pause"
  | "resume"
  | "delete"
  | "rerun"
  | "migrate"
  | "previewMigration"
  | "export"
  | "import"
> {
  const asked = (
    kind: "cancel" | "terminate" | "pause" | "resume",
    { runId, reason }: { readonly runId: string; readonly reason: string },
    metadata: Metadata,
  ): Promise<Answered<Steered>> =>
    ofRun(runId, (id) => {
      const event = { reason, actor: actorOf(metadata), requestId: requestId(metadata) };
      const long = tooLong({ reason, key: event.requestId });
      return long === undefined ? steer(id, { kind, event }, options) : Promise.resolve(failed(long));
    });
  return {
    cancel: unary(({ request, metadata }) => asked("cancel", request, metadata)),
    terminate: unary(({ request, metadata }) => asked("terminate", request, metadata)),
    pause: unary(({ request, metadata }) => asked("pause", request, metadata)),
    rerun: unary(({ request, metadata }) =>
      ofRun(request.runId, (id) =>
        rerun(id, request, { requestId: requestId(metadata), actor: actorOf(metadata) }, options),
      ),
    ),
    export: (call) => {
      const runId = parseRunId(call.request.runId);
      if (runId === undefined) return void call.emit("error", toServiceError(invalidRunId(call.request.runId)));
      void exportRun(call, runId, options.files);
    },
    import: unary(({ request }) => importRun(request.text, options.files)),
    previewMigration: unary(({ request }) => previewMigration(request, options)),
    migrate: unary(({ request, metadata }) =>
      ofRun(request.runId, (id) => {
        const by = { actor: actorOf(metadata), requestId: requestId(metadata) };
        const long = tooLong({ reason: request.reason, key: by.requestId });
        return long === undefined
          ? migrate(id, { ...request, toVersionOf: () => request.toVersion }, by, options)
          : Promise.resolve(failed(long));
      }),
    ),
    delete: unary(({ request: { runId, reason }, metadata }) =>
      ofRun(runId, (id) => {
        const event = { reason, actor: actorOf(metadata), requestId: requestId(metadata) };
        const long = tooLong({ reason, key: event.requestId });
        const ground = { front: options.front, store: options.lists?.store };
        return long === undefined ? deleteRun(id, event, ground) : Promise.resolve(failed(long));
      }),
    ),
    resume: unary(({ request, metadata }): Promise<Answered<object>> => asked("resume", request, metadata)),
  };
}

function incidents(options: RunsOptions): Pick<RunsServer, "retry" | "fail" | "skip" | "patch" | "compensate"> {
  const about = ({ step, reason }: { readonly step: string; readonly reason: string }, metadata: Metadata): Asked => ({
    step,
    reason,
    actor: actorOf(metadata),
    requestId: requestId(metadata),
  });
  return {
    retry: unary(({ request, metadata }) =>
      ofRun(request.runId, (id) => leaveIncident({ kind: "retry" }, id, about(request, metadata), options)),
    ),
    fail: unary(({ request, metadata }) =>
      ofRun(request.runId, (id) => leaveIncident({ kind: "fail" }, id, about(request, metadata), options)),
    ),
    compensate: unary(({ request, metadata }) =>
      ofRun(request.runId, (id) => leaveIncident({ kind: "compensate" }, id, about(request, metadata), options)),
    ),
    skip: unary(({ request, metadata }) =>
      ofRun(request.runId, (id) =>
        leaveIncident({ kind: "skip", result: request.result }, id, about(request, metadata), options),
      ),
    ),
    patch: unary(({ request, metadata }) =>
      ofRun(request.runId, (id) =>
        leaveIncident({ kind: "patch", request: request.request }, id, about(request, metadata), options),
      ),
    ),
  };
}

function people(options: RunsOptions): Pick<RunsServer, "signal" | "decide" | "hold" | "release" | "listHolds"> {
  return {
    signal: unary((call) => signal(call, options)),
    decide: unary(({ request, metadata }) =>
      ofRun(request.runId, (id) => decide(id, request, metadata, requestId(metadata), options)),
    ),
    hold: unary(({ request: { target, reason }, metadata }) =>
      hold(target, { reason, actor: actorOf(metadata) }, options, Date.now()),
    ),
    release: unary(({ request: { target } }) => release(target, options)),
    listHolds: unary(() => listHolds(options)),
  };
}

function limits(options: RunsOptions): Pick<RunsServer, "setLimit" | "clearLimit" | "listLimits"> {
  return {
    setLimit: unary(({ request: { limit } }) => setLimit(limit, options, Date.now())),
    clearLimit: unary(({ request: { method } }) => clearLimit(method, options)),
    listLimits: unary(() => listLimits(options)),
  };
}

function bulks(
  options: RunsOptions,
): Pick<RunsServer, "previewBulk" | "startBulk" | "getBulk" | "listBulks" | "stopBulk"> {
  return {
    previewBulk: unary(({ request }) => previewBulk(request, options, Date.now())),
    startBulk: unary(async ({ request, metadata }) => {
      const isDeletion = request.action?.kind === BulkAction_Kind.DELETE;
      const refusal = isDeletion ? refusalOf("sidestep.v1.Runs/Delete", metadata) : undefined;
      if (refusal !== undefined) return failed(refusal);
      return startBulk(request, { metadata, actor: actorOf(metadata) }, options, Date.now());
    }),
    getBulk: unary(({ request: { bulkId } }) => getBulk(bulkId, options)),
    listBulks: unary(() => listBulks(options)),
    stopBulk: unary(({ request: { bulkId } }) => stopBulk(bulkId, options, Date.now())),
  };
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
  if (!call.cancelled) call.sendMetadata(runIdMetadata(started.runId));
  return done({ runId: started.runId, joined: started.joined });
}

async function signal(
  { request, metadata }: ServerUnaryCall<SignalRunRequest, SignalRunResponse>,
  { signals }: RunsOptions,
): Promise<Answered<SignalRunResponse>> {
  const { runId, workflow, key, name, payload } = request;
  const id = request.signalId === "" ? (header(metadata, idempotencyKeyHeader) ?? "") : request.signalId;
  const long = tooLong({ key, name }) ?? tooLong({ key: id });
  if (long !== undefined) return failed(long);
  const sent = { name, payload, type: undefined, id, actor: actorOf(metadata) };
  const taken =
    runId === "" && workflow !== ""
      ? await signals.toKey(workflow, key, sent)
      : await ofRun(runId, (found) => signals.toRun(found, sent));
  return taken.kind === "failure" ? taken : done({ runId: taken.answer });
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
    if (waited.kind !== "ended") return done({ done: false, run: got.run });
    // The caller's own answer, whole.
    return done({ done: true, run: { ...got.run, response: got.response, steps: [] } });
  } finally {
    clearTimeout(timer);
    call.off("cancelled", leave);
    forget();
  }
}

/** What the archive has of a run that the log has no more. */
async function archivedRun(runId: RunId, { lists: open }: ListsOptions): Promise<ArchivedRun | undefined> {
  return open?.archived(runId);
}

function traceUrl({ jaegerUrl, traces }: Pick<RunsOptions, "jaegerUrl" | "traces">, traceId: string): string {
  if (traceId === "") return "";
  if (jaegerUrl !== undefined) return `${jaegerUrl.replace(/\/+$/, "")}/trace/${traceId}`;
  return traces === undefined ? "" : `/console/traces/${traceId}`;
}

function withSidecars({ run, plan }: Pick<Inspected, "run" | "plan">, catalog: Catalog): Run {
  return { ...run, steps: run.steps.map((step) => withCatalog(step, catalog, plan)) };
}

/** The same request again, told by the caller's idempotency-key header, is folded once. */
function requestId(metadata: Metadata): string {
  return header(metadata, idempotencyKeyHeader) ?? randomUUID();
}
