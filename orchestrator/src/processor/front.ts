import type {
  CancelRequested,
  FailRequested,
  RetryRequested,
  RunEnded,
  TerminateRequested,
  TraceStart,
} from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { HistoryEvent, Run } from "../../../proto/gen/sidestep/v1/run.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import type { LogRecord } from "../engine/record.ts";

/** A version of a workflow that new runs are pinned to. */
export interface ActiveWorkflow {
  /** Full name of the rpc. */
  readonly workflow: string;
  readonly version: number;
  readonly plan: LoadedPlan;
  /** SHA-256 of the plan's bytes. */
  readonly planHash: Uint8Array;
}

export interface StartRequest {
  readonly active: ActiveWorkflow;
  /** As the caller sent it; decoded only to be checked. */
  readonly request: Uint8Array;
  /** The caller's text headers, lower case; the front keeps those that the plan names. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Used when the plan has no key. */
  readonly idempotencyKey: string | undefined;
  /** Which trace shows the run, once its id is known. */
  readonly trace: (runId: RunId) => TraceStart;
  /** Empty: not known. */
  readonly actor: string;
}

/** Why something was not done; nothing was written, except that an `unavailable` start may turn out void or stored. */
export type Refusal =
  /** The request can't be decoded, its key is empty or its key's expression fails. */
  | { readonly kind: "invalid"; readonly message: string }
  | { readonly kind: "tooLarge"; readonly sizeBytes: number; readonly limitBytes: number }
  /** The key is held by a run with another request. */
  | { readonly kind: "conflict"; readonly runId: RunId }
  /** Too much waits to be folded. */
  | { readonly kind: "exhausted"; readonly retryAfterMs: number }
  /** The log can't be reached, or did not say in time whether it stored it. */
  | { readonly kind: "unavailable"; readonly message: string };

export type StartResult =
  /** Durable. */
  | { readonly kind: "started"; readonly runId: RunId }
  /** There was one of the same key and request; it may have ended. */
  | { readonly kind: "joined"; readonly runId: RunId }
  | Refusal;

export type RunRequest =
  | { readonly kind: "cancel"; readonly event: CancelRequested }
  | { readonly kind: "terminate"; readonly event: TerminateRequested }
  | { readonly kind: "retry"; readonly event: RetryRequested }
  | { readonly kind: "fail"; readonly event: FailRequested };

export type Unknown = { readonly kind: "unknown" };
export type Unavailable = Extract<Refusal, { readonly kind: "unavailable" }>;

/** What callers ask of runs, wherever their partition is owned. Expected failures are results; nothing of them is thrown. */
export interface Front {
  /** Makes a run durable, or joins the one of the same key. Gives up as `unavailable` when the signal aborts. */
  start(request: StartRequest, signal: AbortSignal): Promise<StartResult>;
  /** Resolves when the run has ended; `aborted` when the signal came first. Survives owners and connections. */
  wait(
    runId: RunId,
    signal: AbortSignal,
  ): Promise<{ readonly kind: "ended"; readonly ended: RunEnded } | { readonly kind: "aborted" } | Unknown>;
  /** The run as its events in the log add up. */
  get(runId: RunId): Promise<{ readonly kind: "run"; readonly run: Run } | Unknown | Unavailable>;
  /** At most `limit` events after sequence `after`, oldest first; `next` is set when there may be more. */
  history(
    runId: RunId,
    after: number,
    limit: number,
  ): Promise<
    | { readonly kind: "history"; readonly events: readonly HistoryEvent[]; readonly next: number | undefined }
    | Unknown
    | Unavailable
  >;
  /** All records of the run, oldest first, and the plan it is pinned to: what its spans are made of. */
  records(
    runId: RunId,
  ): Promise<
    | { readonly kind: "records"; readonly plan: LoadedPlan; readonly records: readonly LogRecord[] }
    | Unknown
    | Unavailable
  >;
  /** Makes an operator's request durable and waits until it is folded; `ignored`: the run had ended, or had no such incident. */
  request(
    runId: RunId,
    request: RunRequest,
    signal: AbortSignal,
  ): Promise<{ readonly kind: "done"; readonly ignored: boolean } | Unknown | Unavailable>;
}
