import type { Delay } from "./answers.ts";
import type { Fakes } from "./fakes.ts";
import type { Given, JsonMessage } from "./plain.ts";
import type { Run } from "./run.ts";
import type { CallView, EmittedView } from "./views.ts";

/** How a sandbox is opened. */
export interface SandboxOptions {
  /** By "package.Service/Method". A call of a method without one fails the test, unless `stubs` is given. */
  readonly fakes?: Fakes;
  /** Methods without a fake are answered with plausible values: a function of their descriptors and this seed. */
  readonly stubs?: number;
  /** Virtual time at the start; 2026-01-01T00:00:00Z unless given. */
  readonly startAt?: Date;
}

/** How a run is started. */
export interface StartOptions {
  /** Of the idempotency-key header: the key of a workflow that has none of its own. */
  readonly idempotencyKey?: string;
  /** The caller's headers, lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly actor?: string;
}

/** A place where workflows run against fakes: Sidestep's own engine, in this process, with virtual time. */
export interface Sandbox {
  /** Starts a run; its first calls are made once time is given to it. Throws SandboxError when it is refused. */
  start(workflow: string, request?: Given, options?: StartOptions): Run;
  /** Calls an rpc of the contracts as a client does: starts a run and waits for its answer, sends a signal, or asks a query. */
  call(method: string, request?: Given): Promise<JsonMessage>;
  /** The run of a key. Throws SandboxError when there is none. */
  find(workflow: string, key: string): Run;
  /** In the order of their starts, those that runs started too. */
  readonly runs: readonly Run[];
  /** Calls that fakes got, in order: all of them, or those of a method. */
  calls(method?: string): readonly CallView[];
  /** Messages that emit steps have sent, in order. */
  readonly emitted: readonly EmittedView[];
  /** Virtual time. */
  readonly now: Date;
  /** Lets virtual time pass: all that is due until then happens in order. */
  advance(delay: Delay): Promise<void>;
  /** Lets all happen that needs no time to pass. */
  settle(): Promise<void>;
  /** The orchestrator dies now; another one takes over after this, 5 s unless given, with nothing but the log. */
  crashOrchestrator(away?: Delay): void;
}
