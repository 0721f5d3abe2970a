import type { LoadedPlan } from "../../../orchestrator/src/engine/plan.ts";
import type { RunState } from "../../../orchestrator/src/engine/state.ts";
import type { AttemptId } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Engine } from "../engine.ts";
import type { StoredMessage } from "../performed.ts";
import type { Chains } from "./chains.ts";
import type { SimLog } from "./log.ts";
import type { SimQueue } from "./queue.ts";
import type { SimTimers } from "./timers.ts";
import type { World } from "./world.ts";

/** What owners stand on. */
export interface Ground {
  readonly world: World;
  readonly engine: Engine;
  readonly log: SimLog;
  readonly queue: SimQueue;
  readonly timers: SimTimers;
  /** What each run is made of, by run id. */
  readonly plans: Map<string, LoadedPlan>;
  /** Workflows that runs may start, by the full name of their rpc. */
  readonly deployed: ReadonlyMap<string, LoadedPlan>;
  readonly reset: (runId: string, attempt: AttemptId) => void;
  /** Bytes of every task published so far, by id. */
  readonly published: Map<string, string>;
  /** When each attempt was closed first, by id. */
  readonly closedAt: Map<string, number>;
  /** What the user's stream has taken. */
  readonly messages: StoredMessage[];
  readonly isDoubleMessage: (id: string) => boolean;
}

/** Who carries something out. */
export interface Carrier {
  readonly isAlive: () => boolean;
  readonly chains: Chains;
  readonly stateOf: (runId: string) => RunState | undefined;
}
