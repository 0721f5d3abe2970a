import type { Registry } from "@bufbuild/protobuf";
import type { Call_OnDoubt, Call_OnExhausted, Plan, Trigger } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Expression } from "./expression/load.ts";

/** A plan ready to run: expressions loaded, steps nested and by index. Immutable; shared by all runs that are pinned to it. */
export interface LoadedPlan {
  /** As stored. */
  readonly plan: Plan;
  readonly registry: Registry;
  readonly body: BlockPlan;
  /** By StepPlan.index; steps of compensating blocks come after all others. */
  readonly steps: readonly StepPlan[];
  readonly key: PlannedExpression | undefined;
  readonly output: PlannedExpression | undefined;
  readonly attributes: readonly { readonly name: string; readonly value: PlannedExpression }[];
  readonly signals: readonly SignalPlan[];
  readonly queries: readonly QueryPlan[];
  readonly triggers: readonly TriggerPlan[];
  /** Variables that an expression reads, and does not only pass on to a call, a child or the caller. */
  readonly read: ReadonlySet<string>;
}

/** A signal that runs take. */
export interface SignalPlan {
  readonly name: string;
  /** Full name of its message. */
  readonly type: string;
  /** Full name of the rpc that delivers it; empty: none. */
  readonly method: string;
  /** Over the rpc's request: key of the run; undefined: no rpc delivers it. */
  readonly key: PlannedExpression | undefined;
  /** Over the rpc's request: the request that starts the run when there is none. */
  readonly start: PlannedExpression | undefined;
}

/** A question about a run. */
export interface QueryPlan {
  /** Full name of its rpc. */
  readonly method: string;
  readonly requestType: string;
  readonly responseType: string;
  /** Over the rpc's request: key of the run. */
  readonly key: PlannedExpression;
  /** Over the run's variables and `query`, the rpc's request. */
  readonly output: PlannedExpression;
}

/** A moment or an event that becomes a request. */
export interface TriggerPlan {
  /** As stored; its kind is set. */
  readonly trigger: Trigger;
  /** Undefined: always. */
  readonly when: PlannedExpression | undefined;
  readonly input: PlannedExpression;
}

/** An expression and where it stands in the definition, for messages. */
export interface PlannedExpression {
  readonly expression: Expression;
  readonly place: string;
  /** It reads a field declared `debug_redact`: a failure does not say on what value. */
  readonly isRedacted: boolean;
}

export interface BlockPlan {
  readonly steps: readonly StepPlan[];
  readonly result: PlannedExpression | undefined;
}

export interface StepPlan {
  readonly index: number;
  /** Last part of its paths. */
  readonly name: string;
  /** Empty: nothing refers to it. */
  readonly id: string;
  readonly title: string;
  readonly when: PlannedExpression | undefined;
  /** Spelling of its result's type; empty: it has no result. */
  readonly resultType: string;
  /** A field declared `debug_redact` went into the result: it is not shown. */
  readonly isRedacted: boolean;
  readonly action: Action;
  readonly compensate: CompensationPlan | undefined;
  /** Yields the name of the lock that it holds while it runs. */
  readonly lock: PlannedExpression | undefined;
}

/** What a step does. */
export type Action =
  | { readonly kind: "call"; readonly call: CallPlan }
  | { readonly kind: "switch"; readonly cases: readonly CasePlan[]; readonly otherwise: BlockPlan | undefined }
  | ({ readonly kind: "parallel" } & ParallelPlan)
  | { readonly kind: "forEach"; readonly forEach: ForEachPlan }
  | { readonly kind: "loop"; readonly loop: LoopPlan }
  | { readonly kind: "try"; readonly try: TryPlan }
  | { readonly kind: "compensateNow" }
  | { readonly kind: "wait"; readonly forMs: number }
  | { readonly kind: "waitUntil"; readonly until: PlannedExpression }
  | { readonly kind: "let"; readonly value: PlannedExpression }
  | { readonly kind: "fail"; readonly fail: FailPlan }
  | { readonly kind: "return"; readonly value: PlannedExpression }
  | { readonly kind: "signal"; readonly signal: WaitSignalPlan }
  | { readonly kind: "approve"; readonly approval: ApprovalPlan }
  | { readonly kind: "run"; readonly run: ChildRunPlan }
  | { readonly kind: "emit"; readonly emit: EmitPlan }
  | { readonly kind: "yield"; readonly value: PlannedExpression };

export interface CallPlan {
  readonly method: string;
  /** Undefined: an empty message. */
  readonly request: PlannedExpression | undefined;
  readonly headers: readonly HeaderPlan[];
  readonly timeoutMs: number;
  readonly stepTimeoutMs: number | undefined;
  readonly queueNoticeMs: number;
  readonly retry: RetryPlan;
  readonly onDoubt: Call_OnDoubt;
  readonly onExhausted: Call_OnExhausted;
  readonly isIdempotent: boolean;
  /** It must not be repeated: claimed before it is called. */
  readonly isClaimed: boolean;
  /** Full name of the method's request; empty in plans of earlier versions. */
  readonly requestType: string;
  readonly responseType: string;
  /** Spelling of the result's type: the response, or the list of them. */
  readonly resultType: string;
  /** Set when the rpc returns a stream. */
  readonly stream: StreamPlan | undefined;
  /** Set when onDoubt is VERIFY. */
  readonly verify: VerifyPlan | undefined;
  /** The request is the run's own, byte for byte. */
  readonly passesInput: boolean;
}

/** Asks whether a call of unknown outcome was carried out. */
export interface VerifyPlan {
  /** The call that asks: tried again like the call itself, and harmless. */
  readonly call: CallPlan;
  /** Over `answer`. */
  readonly done: PlannedExpression;
  /** Over `answer`; undefined: an empty message. */
  readonly result: PlannedExpression | undefined;
}

/** How long a step waits for somebody. */
export interface DuePlan {
  readonly timeoutMs: number | undefined;
  readonly deadline: PlannedExpression | undefined;
  /** Undefined: the step fails then. */
  readonly onTimeout: BlockPlan | undefined;
}

export interface WaitSignalPlan extends DuePlan {
  readonly name: string;
  readonly type: string;
  /** Over `event`. */
  readonly when: PlannedExpression | undefined;
}

export interface ApprovalPlan extends DuePlan {
  readonly title: PlannedExpression | undefined;
  readonly detail: PlannedExpression | undefined;
  /** Yields a list of strings; undefined: anybody may decide. */
  readonly approvers: PlannedExpression | undefined;
  /** Empty: the decision is the result. */
  readonly type: string;
  /** Sees `decision`; undefined: the step fails then. */
  readonly onReject: BlockPlan | undefined;
}

export interface ChildRunPlan {
  readonly method: string;
  readonly request: PlannedExpression | undefined;
  readonly key: PlannedExpression | undefined;
  readonly detach: boolean;
  readonly responseType: string;
}

export interface EmitPlan {
  readonly subject: PlannedExpression;
  readonly type: string;
  readonly message: PlannedExpression | undefined;
}

/** A header of a call: an expression, or the name of a secret that only the sidecar knows. */
export type HeaderPlan =
  | { readonly key: string; readonly value: PlannedExpression }
  | { readonly key: string; readonly secret: string };

/** How much of the answer of a server-streaming rpc is collected. */
export interface StreamPlan {
  readonly messagesMax: number;
  readonly bytesMax: number;
}

export interface RetryPlan {
  readonly attemptsMax: number;
  readonly backoffMs: number;
  readonly backoffMaxMs: number;
  readonly multiplier: number;
  /** Codes; empty: the built-in table. */
  readonly on: ReadonlySet<number>;
}

export interface CasePlan {
  readonly when: PlannedExpression;
  readonly block: BlockPlan;
}

export interface ParallelPlan {
  readonly branches: readonly BlockPlan[];
  /** How many must succeed; the others are given up then. */
  readonly need: number;
  /** Only one has to: its value is the step's result. Else the list of them is. */
  readonly takesFirst: boolean;
}

export interface ForEachPlan {
  /** Yields a list. */
  readonly in: PlannedExpression;
  /** Name of the element. */
  readonly as: string;
  /** Name of its position. */
  readonly indexAs: string;
  /** Passes at one time; 0: as many as the run's limits allow. */
  readonly parallelMax: number;
  readonly body: BlockPlan;
}

export interface LoopPlan {
  readonly while: PlannedExpression | undefined;
  readonly until: PlannedExpression | undefined;
  readonly iterationsMax: number;
  /** Between passes. */
  readonly pauseMs: number;
  readonly carries: readonly CarryPlan[];
  readonly body: BlockPlan;
}

export interface CarryPlan {
  readonly name: string;
  /** Spelling of its type. */
  readonly type: string;
  readonly init: PlannedExpression;
  readonly next: PlannedExpression;
}

export interface TryPlan {
  readonly body: BlockPlan;
  readonly catches: readonly CatchPlan[];
  readonly finally: BlockPlan | undefined;
}

/** What is empty matches all. */
export interface CatchPlan {
  readonly codes: ReadonlySet<number>;
  readonly reason: string;
  readonly domain: string;
  readonly detailType: string;
  readonly when: PlannedExpression | undefined;
  readonly block: BlockPlan;
}

export interface FailPlan {
  /** The caught error goes on; nothing else is set. */
  readonly rethrows: boolean;
  readonly code: number;
  readonly message: PlannedExpression | undefined;
  readonly details: readonly { readonly type: string; readonly value: PlannedExpression }[];
}

export interface CompensationPlan {
  readonly when: PlannedExpression | undefined;
  readonly undo:
    | { readonly kind: "call"; readonly call: CallPlan }
    | { readonly kind: "block"; readonly block: BlockPlan };
}
