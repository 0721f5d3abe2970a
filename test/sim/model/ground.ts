import type { RunState } from "../../../orchestrator/src/engine/state.ts";
import type { AttemptId } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Carrier, Ground } from "../../../testing/src/partition/ground.ts";
import type { Engine } from "../engine.ts";
import type { StoredMessage } from "../performed.ts";
import type { SimQueue } from "./queue.ts";
import type { SimTimers } from "./timers.ts";
import type { World } from "./world.ts";

/** What owners stand on. */
export interface SimGround extends Ground {
  readonly world: World;
  readonly engine: Engine;
  readonly queue: SimQueue;
  readonly timers: SimTimers;
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
export interface SimCarrier extends Carrier {
  readonly stateOf: (runId: string) => RunState | undefined;
}
