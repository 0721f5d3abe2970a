import type { CodeName } from "../../../../proto/wire/status.ts";

/** A step of a test's plan; expressions are in the language of expression.ts. */
export interface StepSketch {
  /** Undefined: the step has no id, and its place is its name. */
  readonly id?: string | undefined;
  readonly when?: string | undefined;
  /** An expression that names a lock. */
  readonly lock?: string | undefined;
  readonly undo?: (CallSketch & { readonly when?: string | undefined }) | undefined;
  readonly undoBlock?: (BlockSketch & { readonly when?: string | undefined }) | undefined;
  readonly action: ActionSketch;
}

export type ActionSketch =
  | ({ readonly kind: "call" } & CallSketch)
  | {
      readonly kind: "switch";
      readonly cases: readonly { readonly when: string; readonly block: BlockSketch }[];
      readonly otherwise?: BlockSketch | undefined;
    }
  | { readonly kind: "parallel"; readonly branches: readonly BlockSketch[]; readonly need?: number | undefined }
  | {
      readonly kind: "forEach";
      readonly in: string;
      readonly as?: string | undefined;
      readonly atOnce?: number | undefined;
      readonly body: BlockSketch;
    }
  | {
      readonly kind: "loop";
      readonly while?: string | undefined;
      readonly until?: string | undefined;
      readonly max: number;
      readonly pauseMs?: number | undefined;
      readonly carries?: readonly { readonly name: string; readonly init: string; readonly next: string }[] | undefined;
      readonly body: BlockSketch;
    }
  | {
      readonly kind: "try";
      readonly body: BlockSketch;
      readonly catches?: readonly CatchSketch[] | undefined;
      readonly finally?: BlockSketch | undefined;
    }
  | { readonly kind: "compensateNow" }
  | { readonly kind: "wait"; readonly forMs: number }
  | { readonly kind: "until"; readonly until: string }
  | { readonly kind: "let"; readonly value: string }
  | {
      readonly kind: "fail";
      /** Undefined: the caught error goes on. */
      readonly code?: CodeName | undefined;
      readonly message?: string | undefined;
      readonly detail?: string | undefined;
    }
  | { readonly kind: "return"; readonly value: string }
  | ({ readonly kind: "signal"; readonly name: string; readonly when?: string | undefined } & DueSketch)
  | ({
      readonly kind: "approve";
      readonly title?: string | undefined;
      readonly approvers?: string | undefined;
      readonly type?: string | undefined;
      readonly onReject?: BlockSketch | undefined;
    } & DueSketch)
  | {
      readonly kind: "run";
      readonly workflow: string;
      readonly request?: string | undefined;
      readonly key?: string | undefined;
      readonly detach?: boolean | undefined;
    }
  | { readonly kind: "emit"; readonly subject: string; readonly message?: string | undefined }
  | { readonly kind: "yield"; readonly value: string };

/** How long a step waits for somebody. */
export interface DueSketch {
  readonly timeoutMs?: number | undefined;
  readonly deadline?: string | undefined;
  readonly onTimeout?: BlockSketch | undefined;
}

export interface CatchSketch {
  readonly codes?: readonly CodeName[] | undefined;
  readonly reason?: string | undefined;
  readonly domain?: string | undefined;
  readonly detailType?: string | undefined;
  readonly when?: string | undefined;
  readonly block: BlockSketch;
}

export interface BlockSketch {
  readonly steps: readonly StepSketch[];
  readonly result?: string | undefined;
}

export interface CallSketch {
  readonly method: string;
  readonly request?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly timeoutMs?: number | undefined;
  readonly stepTimeoutMs?: number | undefined;
  readonly noticeMs?: number | undefined;
  readonly attempts?: number | undefined;
  readonly backoffMs?: number | undefined;
  readonly backoffMaxMs?: number | undefined;
  readonly on?: readonly CodeName[] | undefined;
  readonly doubt?: "RETRY" | "VERIFY" | "PAUSE" | "FAIL" | undefined;
  /** What asks, when `doubt` is VERIFY. */
  readonly verify?: VerifySketch | undefined;
  readonly passesInput?: boolean | undefined;
  readonly exhausted?: "PAUSE" | "FAIL" | undefined;
  readonly isIdempotent?: boolean | undefined;
  /** The rpc returns a stream, and so many of its messages are collected. */
  readonly streamMax?: number | undefined;
}

export interface VerifySketch {
  readonly method: string;
  readonly request?: string | undefined;
  readonly done: string;
  readonly result?: string | undefined;
}

export interface PlanSketch {
  readonly steps: readonly StepSketch[];
  readonly output?: string | undefined;
  /** Id of the step whose result is the response. */
  readonly outputStep?: string | undefined;
  readonly streaming?: boolean | undefined;
  readonly timeoutMs?: number | undefined;
  readonly saga?: "REVERSE" | "PARALLEL" | "MANUAL" | undefined;
  readonly key?: string | undefined;
  /** Names of the signals that its runs take. */
  readonly signals?: readonly string[] | undefined;
  /** Output of each query by its rpc. */
  readonly queries?: Readonly<Record<string, string>> | undefined;
  readonly attributes?: Readonly<Record<string, string>> | undefined;
}
