import type { Command } from "./command.ts";
import type { LoadedPlan } from "./plan.ts";
import type { Refusal } from "./refusal.ts";
import type { RunState } from "./state.ts";
import type { Transition } from "./transition.ts";

/** A turn in the making: the state it changes and what it has asked for so far. */
export interface Draft {
  readonly plan: LoadedPlan;
  readonly state: RunState;
  /** Position of the record that the turn is about. */
  readonly sequence: number;
  /** Position of the record before it. */
  readonly before: number;
  readonly commands: Command[];
  /** Commands of this turn that the turn itself has made needless: nobody will ever see them. */
  withdrawn: Set<Command> | undefined;
  /** Steps that the turn has begun. */
  stepsBegun: number;
  /** Why the record, a caller's request, changes nothing; empty: it does, or there is no more to say. */
  refusal: Refusal | "";
  readonly transitions: Transition[];
}

/** The record changes nothing, and its sender is told why. */
export function refuse(draft: Draft, refusal: Refusal): false {
  draft.refusal = refusal;
  return false;
}

/** Takes a command back that was asked for in this very turn; answers false when it is older. */
export function withdraw(draft: Draft, command: Command): boolean {
  if (command.issuedAt !== draft.sequence) return false;
  draft.withdrawn ??= new Set();
  draft.withdrawn.add(command);
  return true;
}
