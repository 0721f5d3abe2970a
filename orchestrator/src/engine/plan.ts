import type { Registry } from "@bufbuild/protobuf";
import type { Call_OnDoubt, Call_OnExhausted, Plan } from "../../../proto/gen/sidestep/internal/v1/plan.ts";
import type { Expression } from "./expression/load.ts";

/** A plan ready to run: expressions loaded, steps nested and by index. Immutable; shared by all runs that are pinned to it. */
export interface LoadedPlan {
  /** As stored. */
  readonly plan: Plan;
  readonly registry: Registry;
  readonly body: BlockPlan;
  /** By StepPlan.index. */
  readonly steps: readonly StepPlan[];
  readonly key: PlannedExpression | undefined;
  readonly output: PlannedExpression | undefined;
  readonly attributes: readonly { readonly name: string; readonly value: PlannedExpression }[];
  readonly signals: readonly SignalPlan[];
  readonly queries: readonly QueryPlan[];
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

/** An expression and where it stands in the definition, for messages. */
export interface PlannedExpression {
  readonly expression: Expression;
  readonly place: string;
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
  readonly action: Action;
  readonly compensate: CompensationPlan | undefined;
}

/** What a step does. */
export type Action =
  | { readonly kind: "call"; readonly call: CallPlan }
  | { readonly kind: "switch"; readonly cases: readonly CasePlan[]; readonly otherwise: BlockPlan | undefined }
  | { readonly kind: "parallel"; readonly branches: readonly BlockPlan[] }
  | { readonly kind: "wait"; readonly forMs: number }
  | { readonly kind: "waitUntil"; readonly until: PlannedExpression }
  | { readonly kind: "let"; readonly value: PlannedExpression }
  | { readonly kind: "fail"; readonly fail: FailPlan }
  | { readonly kind: "return"; readonly value: PlannedExpression };

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
  readonly responseType: string;
  /** Spelling of the result's type: the response, or the list of them. */
  readonly resultType: string;
  /** Set when the rpc returns a stream. */
  readonly stream: StreamPlan | undefined;
  /** The request is the run's own, byte for byte. */
  readonly passesInput: boolean;
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

export interface FailPlan {
  readonly code: number;
  readonly message: PlannedExpression | undefined;
  readonly details: readonly { readonly type: string; readonly value: PlannedExpression }[];
}

export interface CompensationPlan {
  readonly when: PlannedExpression | undefined;
  readonly call: CallPlan;
}
