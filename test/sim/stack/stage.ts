import type { Credentials } from "../../../orchestrator/src/processor/credentials.ts";
import type { LoadedPlan } from "../../../orchestrator/src/engine/plan.ts";
import type { RunState } from "../../../orchestrator/src/engine/state.ts";
import type { Layouts } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { StoredMessage } from "../performed.ts";
import type { Bucket } from "./buckets.ts";
import type { Drifts } from "./drift.ts";
import type { Network } from "./network.ts";
import type { Core } from "./questions.ts";
import type { Queue } from "./queue.ts";
import type { Service } from "./service.ts";
import type { Stream } from "./stream.ts";
import type { TimerStream } from "./timers.ts";
import type { World } from "./world.ts";

/** What stands before any process of ours runs: the server, and the service at the end. */
export interface Stage {
  readonly world: World;
  readonly network: Network;
  readonly logs: readonly Stream[];
  readonly logOf: (partition: number) => Stream;
  readonly queue: Queue;
  readonly timers: TimerStream;
  readonly leases: Bucket;
  readonly keys: Bucket;
  readonly holds: Bucket;
  readonly core: Core;
  readonly service: Service;
  readonly layouts: Layouts;
  readonly credentials: Credentials;
  /** By the first byte of their hash. */
  readonly plans: readonly LoadedPlan[];
  /** By the number of each plan: those of its workflow, itself among them. */
  readonly versionsOf: (number: number) => readonly number[];
  readonly drift: Drifts;
  /** What a run that has started is made of. */
  readonly planOf: (run: Pick<RunState, "started">) => LoadedPlan | undefined;
  /** So many of them are started by callers, the others by runs. */
  readonly startable: number;
  /** What the user's stream has taken. */
  readonly messages: StoredMessage[];
  /** Has that stream take one, once as long as its id is remembered. */
  readonly takeMessage: (id: string, headers: ReadonlyMap<string, string>) => void;
  /** What owners know of each run, as of the last turn of any of them. */
  readonly states: Map<string, RunState>;
  /** Bytes of every task that was asked for, by id, without what may differ. */
  readonly tasks: Map<string, string>;
  /** What was sent under each idempotency key. */
  readonly requests: Map<string, string>;
  /** Id of the attempt that a call is of, by what the service sees of it. */
  readonly attempts: Map<string, string>;
  /** When an owner first closed an attempt, by id. */
  readonly closedAt: Map<string, number>;
  readonly counts: {
    setAside: number;
    garbageTasks: number;
    callers: number;
    /** By what became of them. */
    readonly migrations: Record<string, number>;
  };
}
