import type { Command } from "./command.ts";
import { decide } from "./decide.ts";
import type { Draft } from "./draft.ts";
import { fold } from "./fold.ts";
import type { LoadedPlan } from "./plan.ts";
import type { LogRecord } from "./record.ts";
import type { Refusal } from "./refusal.ts";
import type { RunState } from "./state.ts";
import type { Transition } from "./transition.ts";

/** What one record of a run's log led to. */
export interface Turn {
  /** To be made durable, in any order; part of the state until an event settles them. */
  readonly commands: readonly Command[];
  /** The record came late, twice, too early or without a valid token, and changed nothing. */
  readonly ignored: boolean;
  /** Why a caller's request changed nothing, where there is more to say: a reason of google.rpc.ErrorInfo; empty otherwise. */
  readonly refusal: Refusal | "";
  /** What became of the run, in order. */
  readonly transitions: readonly Transition[];
}

const nothing: Turn = { commands: [], ignored: true, refusal: "", transitions: [] };

/**
 * One turn of the engine: folds the record into the state, which is changed in place, and decides. A record that has been folded before
 * (sequence ≤ state.lastSequence) is skipped. Reads nothing but its arguments.
 */
export function advance(plan: LoadedPlan, state: RunState, record: LogRecord): Turn {
  if (record.sequence <= state.lastSequence) return nothing;
  const before = state.lastSequence;
  state.lastSequence = record.sequence;
  if (record.fact.kind === "event") state.lastEvent = record.sequence;
  if (record.storedMs > state.nowMs) state.nowMs = record.storedMs;
  const draft: Draft = {
    plan,
    state,
    sequence: record.sequence,
    before,
    commands: [],
    withdrawn: undefined,
    stepsBegun: 0,
    refusal: "",
    transitions: [],
  };
  const changed = fold(draft, record);
  decide(draft);
  return { commands: wanted(draft), ignored: !changed, refusal: draft.refusal, transitions: draft.transitions };
}

function wanted({ commands, withdrawn }: Draft): readonly Command[] {
  return withdrawn === undefined ? commands : commands.filter((command) => !withdrawn.has(command));
}
