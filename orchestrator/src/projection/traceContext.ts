import { AttemptId_Phase } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { AttemptId, TraceStart } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { fromHex, toHex } from "../../../proto/wire/runId.ts";
import { attemptSpanId, stepSpanId } from "./spanId.ts";
import type { Sha256 } from "./spanId.ts";

/** A W3C traceparent, taken apart. */
export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits. */
  readonly spanId: string;
  readonly sampled: boolean;
}

/** What a traceparent header says, by W3C Trace Context; undefined when it is malformed, which is as if it were not there. */
export function parseTraceparent(header: string): TraceContext | undefined {
  const match = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(header.trim());
  if (match === null) return undefined;
  const [, version = "", traceId = "", spanId = "", flags = "", rest] = match;
  // Version 00 ends after the flags; ff is forbidden; ids of zeros are invalid.
  if (version === "ff" || (version === "00" && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** The header that says a trace context. */
export function formatTraceparent({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${sampled ? "01" : "00"}`;
}

/**
 * Where a run that starts now is shown: in the caller's trace when that is sampled, else in one of its own, whose id is the run's.
 * `isSampled` decides on the trace that comes out.
 */
export function toTraceStart(
  runId: string,
  caller: { readonly traceparent: string | undefined; readonly tracestate: string | undefined },
  isSampled: (traceId: string, parent: TraceContext | undefined) => boolean,
): TraceStart {
  const parent = caller.traceparent === undefined ? undefined : parseTraceparent(caller.traceparent);
  const joined = parent?.sampled === true ? parent : undefined;
  const traceId = joined?.traceId ?? runId;
  return {
    traceId: fromHex(traceId),
    parentSpanId: joined === undefined ? new Uint8Array() : fromHex(joined.spanId),
    sampled: isSampled(traceId, parent),
    tracestate: joined === undefined ? "" : (caller.tracestate ?? ""),
  };
}

/** 32 hex digits of the trace that shows a run; the run id when its start says nothing of a trace. */
export function traceIdOf(runId: string, trace: TraceStart | undefined): string {
  return trace === undefined || trace.traceId.length !== 16 ? runId : toHex(trace.traceId);
}

/** Headers by which the called service's own spans nest below the attempt's. */
export function attemptTraceHeaders(
  runId: string,
  trace: TraceStart | undefined,
  attempt: AttemptId,
  sha256: Sha256,
): TraceHeaders {
  return toHeaders(runId, trace, attemptSpanId(runId, attempt, sha256));
}

/** Headers by which what a forward step sends out by itself nests below the step. */
export function stepTraceHeaders(
  runId: string,
  trace: TraceStart | undefined,
  step: string,
  sha256: Sha256,
): TraceHeaders {
  return toHeaders(runId, trace, stepSpanId(runId, { step, phase: AttemptId_Phase.FORWARD }, sha256));
}

/** Where the run is shown that a forward step starts: in the same trace, below the step. */
export function childTraceStart(
  runId: string,
  trace: TraceStart | undefined,
  step: string,
  sha256: Sha256,
): TraceStart {
  return {
    traceId: fromHex(traceIdOf(runId, trace)),
    parentSpanId: fromHex(stepSpanId(runId, { step, phase: AttemptId_Phase.FORWARD }, sha256)),
    sampled: trace?.sampled ?? false,
    tracestate: trace?.tracestate ?? "",
  };
}

/** W3C Trace Context. */
export interface TraceHeaders {
  readonly traceparent: string;
  readonly tracestate: string | undefined;
}

function toHeaders(runId: string, trace: TraceStart | undefined, spanId: string): TraceHeaders {
  return {
    traceparent: formatTraceparent({ traceId: traceIdOf(runId, trace), spanId, sampled: trace?.sampled ?? false }),
    tracestate: trace === undefined || trace.tracestate === "" ? undefined : trace.tracestate,
  };
}
