import type { Metadata } from "@grpc/grpc-js";
import type { TraceStart } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { idempotencyKeyHeader, traceparentHeader, tracestateHeader } from "../../../proto/wire/headers.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { Definitions } from "../processor/definitions.ts";
import type { ActiveWorkflow, Front, StartResult } from "../processor/front.ts";
import { actorOf } from "./access.ts";
import type { Closing } from "./closing.ts";
import { refusalFailure, tooLarge, workflowNotFound } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { lengthFailure } from "./lengths.ts";

/** What an ingress needs. */
export interface IngressOptions {
  readonly front: Front;
  readonly definitions: Definitions;
  /** Larger requests are refused before anything is written. */
  readonly requestBytesMax: number;
  /** The same of what a run keeps itself: signals, forms, given results. */
  readonly payloadBytesMax: number;
  /** Which trace shows a run of that id, for a caller with these headers. */
  readonly traceOf: (runId: RunId, caller: CallerTrace) => TraceStart;
  /** When waiting callers have to be sent away; their runs go on. */
  readonly closing: Closing;
  readonly log: Log;
}

/** The caller's trace headers. */
export interface CallerTrace {
  readonly traceparent: string | undefined;
  readonly tracestate: string | undefined;
}

/** A start that is asked for. */
export interface Starting {
  /** Full name of the rpc. */
  readonly workflow: string;
  readonly request: Uint8Array;
  /** The caller's headers. */
  readonly metadata: Metadata;
  /** Wins over the caller's idempotency-key header. */
  readonly idempotencyKey: string | undefined;
  /** What it is pinned to; undefined: what is active of the workflow. */
  readonly active?: () => Promise<ActiveWorkflow>;
  /** What equal starts of one key have in common; undefined: the request itself. */
  readonly sameAs?: Uint8Array;
  /** When the answer is due, in milliseconds since 1970; Infinity: whenever. */
  readonly deadlineMs: number;
}

export type Started =
  | { readonly kind: "started"; readonly runId: RunId; readonly joined: boolean }
  | { readonly kind: "failure"; readonly failure: Failure };

/** A start that is not durable by then is answered UNAVAILABLE. */
const startTimeoutMs = 10_000;

/** Makes a run durable or says, before the caller's deadline, why it did not. */
export async function startRun(starting: Starting, options: IngressOptions): Promise<Started> {
  const { request, workflow, metadata, sameAs } = starting;
  if (request.length > options.requestBytesMax) return refused(tooLarge(request.length, options.requestBytesMax));
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), budgetMs(starting.deadlineMs));
  const start = async (): Promise<StartResult | Failure | undefined> => {
    const active = await (starting.active ?? (() => options.definitions.active(workflow)))();
    if (active === undefined) return undefined;
    const named = namedHeaders(metadata, active.plan.plan.metadata);
    const long = lengthFailure("metadata", sizeOf(named));
    if (long !== undefined) return long;
    const idempotencyKey = starting.idempotencyKey ?? header(metadata, idempotencyKeyHeader);
    const trace = (runId: RunId) => options.traceOf(runId, callerTrace(metadata));
    const asked = { active, request, metadata: named, idempotencyKey, trace, actor: actorOf(metadata) };
    return options.front.start(sameAs === undefined ? asked : { ...asked, sameAs }, late.signal);
  };
  try {
    // Whatever still waits for NATS then is not waited for: what it stores later is void, or joined by the next try.
    const result = await Promise.race([start(), aborted(late.signal)]);
    if (result === undefined) return refused(workflowNotFound(workflow));
    if ("code" in result) return refused(result);
    if (result.kind === "started" || result.kind === "joined") {
      return { kind: "started", runId: result.runId, joined: result.kind === "joined" };
    }
    return refused(refusalFailure(result));
  } finally {
    clearTimeout(timer);
  }
}

/** A text header of the caller; undefined when it is absent or binary. */
export function header(metadata: Metadata, name: string): string | undefined {
  const value = metadata.get(name)[0];
  return typeof value === "string" ? value : undefined;
}

function refused(failure: Failure): Started {
  return { kind: "failure", failure };
}

/** Enough of the call's time is left to say UNAVAILABLE before its deadline does. */
function budgetMs(deadlineMs: number): number {
  const leftMs = deadlineMs - Date.now();
  return Math.max(1, Math.min(startTimeoutMs, leftMs - Math.min(500, leftMs / 4)));
}

function aborted(signal: AbortSignal): Promise<StartResult> {
  return new Promise((resolve) => {
    const message =
      "NATS did not say in time whether the start is stored; call again with the same key or idempotency-key";
    signal.addEventListener("abort", () => resolve({ kind: "unavailable", message }), { once: true });
  });
}

function callerTrace(metadata: Metadata): CallerTrace {
  return { traceparent: header(metadata, traceparentHeader), tracestate: header(metadata, tracestateHeader) };
}

function sizeOf(headers: ReadonlyMap<string, string>): number {
  let bytes = 0;
  for (const [name, value] of headers) bytes += name.length + Buffer.byteLength(value);
  return bytes;
}

function namedHeaders(metadata: Metadata, names: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const name of names) {
    const value = header(metadata, name);
    if (value !== undefined) found.set(name, value);
  }
  return found;
}
