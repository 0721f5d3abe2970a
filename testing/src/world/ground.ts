import type { EmitMessage } from "../../../orchestrator/src/engine/command.ts";
import type { RunState } from "../../../orchestrator/src/engine/state.ts";
import type { Clock } from "../partition/clock.ts";
import type { Ground } from "../partition/ground.ts";
import type { Sidecars } from "./sidecar.ts";

/** What the world's orchestrator stands on. */
export interface WorldGround extends Ground {
  readonly clock: Clock;
  readonly sidecars: Pick<Sidecars, "take" | "reset">;
  /** Names of the timers that are out. */
  readonly timers: Set<string>;
  /** All timers that were ever armed: none is armed twice. */
  readonly known: Set<string>;
  /** Takes a message for the outside; the same one again is harmless. */
  readonly emit: (runId: string, command: EmitMessage) => void;
  readonly stateOf: (runId: string) => RunState | undefined;
}
