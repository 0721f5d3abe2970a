import type { Migrated, MigrationFound, MigrationRequest } from "./migration.ts";
import type {
  CancelRequested,
  CompensateRequested,
  DecisionMade,
  DeleteRequested,
  FailRequested,
  PatchRequested,
  PauseRequested,
  RerunRequested,
  ResumeRequested,
  RetryRequested,
  RunEnded,
  Scheduled,
  SignalReceived,
  SkipRequested,
  TerminateRequested,
  TraceStart,
  Triggered,
} from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Hold } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { HistoryEvent, Run } from "../../../proto/gen/sidestep/v1/run.ts";
import type { ExplainRunResponse } from "../../../proto/gen/sidestep/v1/runs.ts";
import type { Offer } from "../../../proto/gen/sidestep/v1/waiting.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { LoadedPlan } from "../engine/plan.ts";
import type { LogRecord } from "../engine/record.ts";
import type { RerunPlace } from "../engine/rerun.ts";

/** A run as it is shown. */
export interface Inspected {
  readonly run: Run;
  readonly plan: LoadedPlan;
  readonly response: Uint8Array;
  /** Position of its last record in its partition. */
  readonly sequence: number;
  /** Of the engine, which it is pinned to. */
  readonly revision: number;
}

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
  /** What equal starts of one key have in common; undefined: the request itself. */
  readonly sameAs?: Uint8Array;
  /** The caller's text headers, lower case; the front keeps those that the plan names. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Used when the plan has no key. */
  readonly idempotencyKey: string | undefined;
  /** Which trace shows the run, once its id is known. */
  readonly trace: (runId: RunId) => TraceStart;
  /** Empty: not known. */
  readonly actor: string;
  /** Which start of which schedule it is. */
  readonly schedule?: Scheduled;
  /** Which event of which trigger it is of. */
  readonly event?: Triggered;
}

/** Why something was not done; nothing was written, except that an `unavailable` start may turn out void or stored. */
export type Refusal =
  /** The request can't be decoded, its key is empty or its key's expression fails. */
  | {
      readonly kind: "invalid";
      readonly message: string;
      /** Set when it is a length over a limit. */
      readonly over?: { readonly limit: string; readonly length: number; readonly max: number };
    }
  | { readonly kind: "tooLarge"; readonly sizeBytes: number; readonly limitBytes: number }
  /** The key is held by a run with another request. */
  | { readonly kind: "conflict"; readonly runId: RunId }
  /** Too much waits to be folded, or too many starts to become durable. */
  | { readonly kind: "exhausted"; readonly retryAfterMs: number; readonly of?: "starts" }
  /** The log can't be reached, or did not say in time whether it stored it. */
  | { readonly kind: "unavailable"; readonly message: string };

/** A question about a run. */
export interface Question {
  /** Full name of the query's rpc. */
  readonly method: string;
  readonly request: Uint8Array;
}

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
  | { readonly kind: "fail"; readonly event: FailRequested }
  | { readonly kind: "skip"; readonly event: SkipRequested }
  | { readonly kind: "patch"; readonly event: PatchRequested }
  | { readonly kind: "compensate"; readonly event: CompensateRequested }
  | { readonly kind: "pause"; readonly event: PauseRequested }
  | { readonly kind: "resume"; readonly event: ResumeRequested }
  | { readonly kind: "delete"; readonly event: DeleteRequested }
  | { readonly kind: "rerun"; readonly event: Omit<RerunRequested, "runId"> }
  | { readonly kind: "decide"; readonly event: DecisionMade }
  /** Those to one run are stored one after the other, in the order in which they are asked for here. */
  | { readonly kind: "signal"; readonly event: Omit<SignalReceived, "id"> & { readonly requestId: string } };

/** What became of a request that is durable. */
export interface Requested {
  readonly kind: "done";
  /** It changed nothing: it came too late, twice, or there was nothing that it could have changed. */
  readonly ignored: boolean;
  /** Why, where there is more to say: a reason of google.rpc.ErrorInfo; empty otherwise. */
  readonly refusal: string;
}

/** Messages of a streaming workflow, the first one's number first. */
export interface Yielded {
  readonly kind: "yields";
  /** Larger than what was asked for: the ones before are not kept any more. */
  readonly first: number;
  readonly messages: readonly Uint8Array[];
}

/** What a question about a run is answered with. */
export type QueryAnswer =
  | { readonly kind: "answer"; readonly response: Uint8Array }
  /** The run's version has no such query. */
  | { readonly kind: "noQuery" }
  /** Its expression fails on what the run has now. */
  | { readonly kind: "failed"; readonly message: string };

/** What only others know of what a run waits for. */
export interface Elsewhere {
  readonly nowMs: number;
  /** Sidecars that take the tasks of a method's service, and whether they hold its calls back; undefined: not known. */
  readonly offersOf: (method: string) => readonly Offer[] | undefined;
  readonly isLimited: (method: string) => boolean;
  /** Why no service that runs fits the call of a step; undefined: one does, or it is not known. */
  readonly driftOf: (plan: LoadedPlan, method: string, path: string) => string | undefined;
}

export type Unknown = { readonly kind: "unknown" };
export type Unavailable = Extract<Refusal, { readonly kind: "unavailable" }>;
export type Exhausted = Extract<Refusal, { readonly kind: "exhausted" }>;

/** What callers ask of runs, wherever their partition is owned. Expected failures are results; nothing of them is thrown. */
export interface Front {
  /** Makes a run durable, or joins the one of the same key. Gives up as `unavailable` when the signal aborts. */
  start(request: StartRequest, signal: AbortSignal): Promise<StartResult>;
  /** Resolves when the run has ended; `aborted` when the signal came first. Survives owners and connections. */
  wait(
    runId: RunId,
    signal: AbortSignal,
  ): Promise<{ readonly kind: "ended"; readonly ended: RunEnded } | { readonly kind: "aborted" } | Unknown>;
  /** The run as its events in the log add up, without what is declared `debug_redact`; `response` is the whole answer, empty before it is there. */
  get(runId: RunId): Promise<({ readonly kind: "run" } & Inspected) | Unknown | Unavailable>;
  /** The same as it stands at its owner here, which has it in memory; else in its log. */
  look(runId: RunId): Promise<({ readonly kind: "run" } & Inspected) | Unknown | Unavailable>;
  /** Resolves when something of the run has been folded that comes after a position of its partition, or the signal aborts. */
  changed(
    runId: RunId,
    after: number,
    signal: AbortSignal,
  ): Promise<{ readonly kind: "changed" | "aborted" } | Unknown>;
  /** What the run waits for, as it stands at its owner here, else in its log. */
  explain(
    runId: RunId,
    elsewhere: Elsewhere,
  ): Promise<{ readonly kind: "explained"; readonly explained: ExplainRunResponse } | Unknown | Unavailable>;
  /** The run that holds a key, and has started. */
  find(
    workflow: string,
    key: string,
  ): Promise<{ readonly kind: "found"; readonly runId: RunId } | Unknown | Unavailable>;
  /** The plan that a run goes by. Where it was migrated, one that it went by before will do, if that passes `suits`. */
  planOf(
    runId: RunId,
    suits: (plan: LoadedPlan) => boolean,
  ): Promise<{ readonly kind: "plan"; readonly plan: LoadedPlan } | Unknown | Unavailable>;
  /** Who has started a run. */
  starterOf(runId: RunId): Promise<{ readonly kind: "starter"; readonly actor: string } | Unknown | Unavailable>;
  /** Asks a run's variables, as they stand at its owner here, else in its log; writes nothing. */
  query(runId: RunId, question: Question): Promise<QueryAnswer | Unknown | Unavailable>;
  /** Messages of a streaming run from a number on, as soon as there are some; its end when all have been told. */
  follow(
    runId: RunId,
    from: number,
    signal: AbortSignal,
  ): Promise<Yielded | { readonly kind: "ended"; readonly ended: RunEnded } | { readonly kind: "aborted" } | Unknown>;
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
  /** Makes a request durable and waits until it is folded. */
  request(
    runId: RunId,
    request: RunRequest,
    signal: AbortSignal,
  ): Promise<Requested | Unknown | Unavailable | Exhausted>;
  /** Whether another run can go on in place of one, from a step on. */
  rerunPlace(runId: RunId, step: string): Promise<RerunPlace | { readonly kind: "live" } | Unknown | Unavailable>;
  /** Ids of people's requests that have changed the run: that one, and those that begin with it and a dot. */
  fateOf(
    runId: RunId,
    requestId: string,
  ): Promise<{ readonly kind: "fate"; readonly taken: readonly string[] } | Unavailable>;
  /** Whether a run can go on by another plan. */
  migration(runId: RunId, planHash: Uint8Array): Promise<MigrationFound | Unknown | Unavailable>;
  /** Has it go on by another version, if it can. */
  migrate(runId: RunId, request: MigrationRequest, signal: AbortSignal): Promise<Migrated | Unknown | Unavailable>;
  /** Whose calls are held back. */
  holds(): Promise<{ readonly kind: "holds"; readonly holds: readonly Hold[] } | Unavailable>;
  /** Changes the holds by compare-and-set; undefined from `change`: nothing is to be written. */
  changeHolds(
    change: (holds: readonly Hold[]) => readonly Hold[] | undefined,
  ): Promise<{ readonly kind: "changed" | "unchanged" } | Unavailable>;
}
