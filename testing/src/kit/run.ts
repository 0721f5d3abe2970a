import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Given, JsonMessage } from "./plain.ts";
import type { EventView, RunStateName, StatusView, StepView } from "./views.ts";

/** A run of the sandbox. All that it shows is read when it is asked for. */
export interface Run {
  /** 32 hex digits. */
  readonly id: string;
  /** "shop.v1.OrderWorkflow/Fulfil" */
  readonly workflow: string;
  /** Empty: it has none. */
  readonly key: string;
  readonly state: RunStateName;
  readonly isEnded: boolean;
  /** As protobuf JSON; undefined: it has not completed. */
  readonly response: JsonMessage | undefined;
  /** The response in the type of a protobuf-es schema. Throws SandboxError when the run has not completed. */
  responseAs<Desc extends DescMessage>(schema: Desc): MessageShape<Desc>;
  /** Why it failed, or fails; OK once it has completed. */
  readonly status: StatusView | undefined;
  /** In the order in which they began, compensations at the end. */
  readonly steps: readonly StepView[];
  /** A step by its path; undefined: it has not begun. */
  step(path: string): StepView | undefined;
  /** Paths of the steps that have completed, in the order in which they did. */
  readonly completed: readonly string[];
  /** Paths of the steps whose compensations have completed, in the order in which they did. */
  readonly undone: readonly string[];
  readonly history: readonly EventView[];
  /** What a streaming workflow has yielded. */
  readonly yielded: readonly JsonMessage[];
  /** The runs that its steps have started, in the order of their starts. */
  readonly children: readonly Run[];
  /** The run in lines, for a failed test's output: each step with its state, then what it waits for. */
  readonly text: string;

  /** Lets virtual time skip from one thing that is due to the next until the run has ended. Rejects when it waits for what no time brings. */
  ended(): Promise<Run>;
  /** The same until the step at the path has begun, and all that needs no more time is done. */
  reaches(path: string): Promise<Run>;
  /** The same until the test says so. */
  until(isReached: (run: Run) => boolean): Promise<Run>;

  /** Sends a signal. Throws SandboxError when the run does not take it. */
  signal(name: string, payload?: Given): void;
  /** Decides the approval that waits, or the one at `step`. */
  decide(decision: Decision): void;
  /** Asks a query's rpc; its request needs no key. */
  query(method: string, request?: Given): JsonMessage;
  /** Stops it and undoes what was done. */
  cancel(reason?: string): void;
  /** Ends it at once. */
  terminate(reason?: string): void;
  pause(reason?: string): void;
  resume(reason?: string): void;
  /** Leaves an incident by trying again, or a backoff by trying now; the only one, or the one at the path. */
  retry(path?: string): void;
  /** Leaves an incident by failing its step. */
  fail(path?: string): void;
  /** Leaves an incident by failing the run: what was done is undone. */
  compensate(path?: string): void;
  /** Leaves an incident with this result in place of the call's. */
  skip(result: Given, path?: string): void;
  /** Leaves an incident by calling again with this request. */
  patch(request: Given, path?: string): void;
}

/** What a person decides. */
export interface Decision {
  readonly approved: boolean;
  /** Who; "tester" unless given. */
  readonly by?: string;
  readonly comment?: string;
  /** What the approval asks to be filled in. */
  readonly form?: Given;
  /** Path of the step, where several wait. */
  readonly step?: string;
}
