import type { AttemptId, RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { AttemptId_Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { Incident_Reason, Run_State } from "../../../proto/gen/sidestep/v1/run.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import { code, codeName } from "../../../proto/wire/status.ts";
import type {
  AttemptEnded,
  BackoffBegan,
  IncidentOpened,
  RunEndedTransition,
  StepAddress,
  StepEnded,
  Transition,
} from "../engine/transition.ts";
import type { LiveAttempt } from "../engine/live.ts";
import type { RunState } from "../engine/state.ts";
import { addressOf, isOpen, parentOf } from "../engine/step.ts";
import type { Attributes, Span, SpanEvent, SpanStatus } from "./span.ts";
import { attemptSpanId, incidentSpanId, runSpanId, startedSpanId, stepSpanId } from "./spanId.ts";
import type { Sha256 } from "./spanId.ts";
import { traceIdOf } from "./traceContext.ts";

/** What spans know of a run's state beyond the turn: its start, and at its end what it left open. */
export type TracedRun = Pick<RunState, "runId" | "started" | "steps" | "compensations">;

/**
 * The spans that a turn finished, a function of the log alone: told again, after a crash or years later, they are the same to the byte.
 * Attempts come when they end, steps when they end, the run at its end with its true start; a short "run started" makes it findable
 * until then. A run that ends over open steps (terminated) has them end with it, so that no span lacks its parent.
 */
export function spansOfTurn(run: TracedRun, transitions: readonly Transition[], sha256: Sha256): readonly Span[] {
  const { runId, started } = run;
  if (started === undefined) return [];
  const draft: Draft = { runId, started, traceId: traceIdOf(runId, started.trace), sha256 };
  return transitions.flatMap((transition) => {
    switch (transition.kind) {
      case "runStarted":
        return [startedSpan(draft, transition.atMs)];
      case "attemptEnded":
        return [attemptSpan(draft, transition, transitions.find(isBackoffOf(transition.attempt)))];
      case "stepEnded":
        return transition.result === "skipped" ? [] : [stepSpan(draft, transition)];
      case "incidentOpened":
        return [incidentSpan(draft, transition)];
      case "runEnded":
        return [...leftSpans(draft, run, transition.endedMs), runSpan(draft, transition)];
      case "stepBegan":
      case "yielded":
      case "attemptBegan":
      case "backoffBegan":
      case "incidentClosed":
      case "attemptOverdue":
      case "compensationBegan":
        return [];
    }
  });
}

/** Whether the spans of a run are exported at all, as was decided at its start. */
export function isSampled(started: RunStarted | undefined): boolean {
  return started?.trace?.sampled ?? false;
}

interface Draft {
  readonly runId: string;
  readonly started: RunStarted;
  readonly traceId: string;
  readonly sha256: Sha256;
}

/** Ended steps and attempts, and those that were open when the run ended. */
type ShownStep = Omit<StepEnded, "kind" | "result"> & { readonly result: StepEnded["result"] | "left" };
type ShownAttempt = Omit<AttemptEnded, "kind" | "result"> & { readonly result: AttemptEnded["result"] | "left" };

function startedSpan(draft: Draft, atMs: number): Span {
  return {
    ...ownSpan(draft, "run started", atMs, atMs),
    spanId: startedSpanId(draft.runId, draft.sha256),
    parentSpanId: runSpanId(draft.runId, draft.sha256),
    attributes: runAttributes(draft),
  };
}

function runSpan(draft: Draft, { ended, startedMs, endedMs }: RunEndedTransition): Span {
  const { runId, started, sha256 } = draft;
  const parent = started.trace?.parentSpanId ?? new Uint8Array();
  const failed = ended.state !== Run_State.COMPLETED;
  const number = failed ? (ended.status?.code ?? code.UNKNOWN) : code.OK;
  return {
    ...ownSpan(draft, started.workflow, startedMs, endedMs),
    kind: "server",
    spanId: runSpanId(runId, sha256),
    parentSpanId: parent.length === 8 ? toHex(parent) : undefined,
    parentIsRemote: parent.length === 8,
    attributes: {
      ...rpcAttributes(started.workflow, number),
      ...runAttributes(draft),
      "sidestep.run.state": nameOf(Run_State, ended.state),
      ...(ended.step === "" ? {} : { "sidestep.step": ended.step }),
    },
    // The conventions leave many codes of a server unset; a run that did not complete is what one looks for.
    status: failed ? { kind: "error", message: ended.status?.message ?? "" } : { kind: "unset" },
  };
}

/** Open steps and the calls they wait for. What else may be under way has been overtaken by another attempt, and nobody asks for it. */
function leftSpans(draft: Draft, { steps, compensations }: TracedRun, endedMs: number): readonly Span[] {
  return [...steps.values(), ...compensations.values()].filter(isOpen).flatMap((step) => {
    const ended: ShownStep = {
      address: addressOf(step),
      plan: step.plan,
      parent: parentOf(step),
      startedMs: step.startedMs,
      endedMs,
      result: "left",
      attempts: step.call?.attempt ?? 0,
      status: undefined,
      maybeExecuted: step.maybeExecuted,
    };
    const attempt = step.state.kind === "running" || step.state.kind === "closing" ? step.state.attempt : undefined;
    const shown = stepSpan(draft, ended);
    return attempt === undefined || attempt.isTold ? [shown] : [leftAttempt(draft, attempt, endedMs), shown];
  });
}

function leftAttempt(draft: Draft, { id, publish }: LiveAttempt, endedMs: number): Span {
  const ended: ShownAttempt = {
    attempt: id,
    method: publish.method,
    issuedMs: publish.issuedMs,
    startedMs: publish.issuedMs,
    endedMs,
    result: "left",
    status: undefined,
    peer: "",
    sidecar: undefined,
    delivery: 0,
    sent: false,
    counted: true,
  };
  return attemptSpan(draft, ended, undefined);
}

function stepSpan(draft: Draft, ended: ShownStep): Span {
  const { address, plan, parent } = ended;
  const { runId } = draft;
  // What stands in a block that undoes is told like any other step.
  const undoes = address.phase === AttemptId_Phase.COMPENSATE && parent?.phase !== AttemptId_Phase.COMPENSATE;
  const kind = undoes ? (plan.compensate?.undo.kind ?? "call") : plan.action.kind;
  return {
    ...ownSpan(draft, undoes ? `compensate ${address.step}` : address.step, ended.startedMs, ended.endedMs),
    spanId: stepSpanId(runId, address, draft.sha256),
    // What undoes a step comes after the block that the step stood in.
    parentSpanId:
      parent === undefined || undoes ? runSpanId(runId, draft.sha256) : stepSpanId(runId, parent, draft.sha256),
    attributes: {
      ...stepAttributes(draft, address),
      "sidestep.step.kind": kind === "waitUntil" ? "wait" : kind,
      "sidestep.step.result": ended.result,
      ...(plan.title === "" ? {} : { "sidestep.step.title": plan.title }),
      ...(ended.attempts === 0 ? {} : { "sidestep.step.attempts": ended.attempts }),
      ...(ended.maybeExecuted ? { "sidestep.step.maybe_executed": true } : {}),
      ...(ended.status === undefined ? {} : { "error.type": codeName(ended.status.code) }),
    },
    status: toStatus(ended.result === "failed", ended.status?.message),
  };
}

function attemptSpan(draft: Draft, ended: ShownAttempt, backoff: BackoffBegan | undefined): Span {
  const { attempt } = ended;
  const { runId } = draft;
  const number = ended.status?.code ?? (ended.result === "completed" ? code.OK : undefined);
  return {
    ...ownSpan(draft, ended.method, ended.startedMs, ended.endedMs),
    kind: "client",
    spanId: attemptSpanId(runId, attempt, draft.sha256),
    parentSpanId: stepSpanId(runId, attempt, draft.sha256),
    attributes: {
      ...rpcAttributes(ended.method, number),
      ...peerAttributes(ended.peer),
      ...stepAttributes(draft, attempt),
      "sidestep.attempt": attempt.attempt,
      "sidestep.attempt.result": ended.result,
      // From the task's issue on the log's clock to the call's start on the sidecar's.
      ...(ended.delivery === 0 ? {} : { "sidestep.attempt.queued_ms": Math.max(0, ended.startedMs - ended.issuedMs) }),
      ...(ended.delivery > 1 ? { "sidestep.attempt.delivery": ended.delivery } : {}),
      ...(ended.counted ? {} : { "sidestep.attempt.late": true }),
    },
    events: backoff === undefined ? [] : [retryEvent(backoff)],
    status: toStatus(ended.result !== "completed", ended.status?.message ?? noOutcome[ended.result]),
    resource: ended.sidecar === undefined ? { kind: "orchestrator" } : { kind: "sidecar", sidecar: ended.sidecar },
  };
}

function incidentSpan(draft: Draft, opened: IncidentOpened): Span {
  const { runId } = draft;
  return {
    ...ownSpan(draft, "incident", opened.atMs, opened.atMs),
    spanId: incidentSpanId(runId, opened.address, opened.attempts, draft.sha256),
    parentSpanId: stepSpanId(runId, opened.address, draft.sha256),
    attributes: {
      ...stepAttributes(draft, opened.address),
      "sidestep.incident.reason": nameOf(Incident_Reason, opened.reason),
      "error.type": codeName(opened.status.code),
    },
    status: { kind: "error", message: opened.status.message },
  };
}

/** Parts that most spans of ours share; the rest is said over it. */
function ownSpan(draft: Draft, name: string, startMs: number, endMs: number): Omit<Span, "spanId"> {
  return {
    traceId: draft.traceId,
    parentSpanId: undefined,
    parentIsRemote: false,
    tracestate: draft.started.trace?.tracestate ?? "",
    name,
    kind: "internal",
    startMs,
    endMs: Math.max(startMs, endMs),
    status: { kind: "unset" },
    attributes: {},
    events: [],
    resource: { kind: "orchestrator" },
  };
}

function retryEvent({ atMs, dueMs }: BackoffBegan): SpanEvent {
  return { name: "retry", timeMs: atMs, attributes: { "sidestep.retry.delay_ms": Math.max(0, dueMs - atMs) } };
}

function isBackoffOf(attempt: AttemptId): (transition: Transition) => transition is BackoffBegan {
  return (transition): transition is BackoffBegan =>
    transition.kind === "backoffBegan" &&
    transition.attempt === attempt.attempt &&
    transition.address.step === attempt.step &&
    transition.address.phase === attempt.phase;
}

const noOutcome: Readonly<Record<ShownAttempt["result"], string>> = {
  completed: "",
  failed: "",
  inDoubt: "a delivery after a claim: the call may have been carried out",
  expired: "no outcome came, and none can come any more",
  left: "the run ended first",
};

function runAttributes({ runId, started }: Draft): Attributes {
  return {
    "sidestep.run.id": runId,
    "sidestep.workflow": started.workflow,
    "sidestep.workflow.version": started.version,
  };
}

function stepAttributes({ runId }: Draft, step: StepAddress): Attributes {
  return {
    "sidestep.run.id": runId,
    "sidestep.step": step.step,
    "sidestep.step.phase": phases[step.phase] ?? "unknown",
    ...(step.generation === 0 ? {} : { "sidestep.step.generation": step.generation }),
  };
}

const phases: Readonly<Record<number, string>> = { 0: "forward", 1: "compensate", 2: "verify" };

/** Semantic conventions 1.45, rpc (stable). */
function rpcAttributes(method: string, number: number | undefined): Attributes {
  return {
    "rpc.system.name": "grpc",
    "rpc.method": method,
    ...(number === undefined ? {} : { "rpc.status_code": codeName(number) }),
    ...(number === undefined || number === code.OK ? {} : { "error.type": codeName(number) }),
  };
}

/** "127.0.0.1:50051", "[::1]:50051" or "unix:/run/x.sock" as server.address and server.port. */
function peerAttributes(peer: string): Attributes {
  if (peer === "") return {};
  const match = /^(.*):(\d{1,5})$/.exec(peer);
  if (match === null || peer.startsWith("unix:")) return { "server.address": peer };
  return { "server.address": (match[1] ?? "").replace(/^\[(.*)\]$/, "$1"), "server.port": Number(match[2]) };
}

function toStatus(failed: boolean, message: string | undefined): SpanStatus {
  return failed ? { kind: "error", message: message ?? "" } : { kind: "unset" };
}

function nameOf(names: Readonly<Record<string, unknown>>, value: number): string {
  return Object.keys(names).find((name) => names[name] === value) ?? String(value);
}
