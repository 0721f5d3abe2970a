import type { Command } from "./command.ts";
import type { LoadedPlan } from "./plan.ts";
import type { RunState } from "./state.ts";
import type { Transition } from "./transition.ts";

/** A turn in the making: the state it changes and what it has asked for so far. */
export interface Draft {
  readonly plan: LoadedPlan;
  readonly state: RunState;
  /** Position of the record that the turn is about. */
  readonly sequence: number;
  readonly commands: Command[];
  readonly transitions: Transition[];
}
