import type { StartChild } from "../../../orchestrator/src/engine/command.ts";
import type { LoadedPlan } from "../../../orchestrator/src/engine/plan.ts";
import type { RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RpcStatus } from "../../../proto/gen/sidestep/internal/v1/rpc.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import type { Chains } from "./chains.ts";
import type { PartitionLog } from "./log.ts";

/** What the one who works on a partition stands on, where there is no NATS. */
export interface Ground {
  readonly log: PartitionLog;
  /** What each run is made of, by run id. */
  readonly plans: Map<string, LoadedPlan>;
  /** Workflows that runs may start, by the full name of their rpc. */
  readonly deployed: ReadonlyMap<string, LoadedPlan>;
  /** Stores something, then says so; it may take time, and `store` may run more than once. `isAlive` is asked before each step. */
  readonly publish: <T>(isAlive: () => boolean, store: () => T, done: (stored: T) => void) => void;
  /** The first event of a child, or why there can't be one. */
  readonly toChild: (parentId: string, childId: RunId, plan: LoadedPlan, command: StartChild) => RunStarted | RpcStatus;
}

/** Who carries something out. */
export interface Carrier {
  readonly isAlive: () => boolean;
  readonly chains: Chains;
}
