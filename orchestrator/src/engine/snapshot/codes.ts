import {
  RunSnapshot_Frame_State as StateCode,
  RunSnapshot_Phase as PhaseCode,
  RunSnapshot_Try_Stage as StageCode,
  RunSnapshot_UndoScope_State as UndoCode,
} from "../../../../proto/gen/sidestep/internal/v1/snapshot.ts";
import type { FrameState, TryProgress, UndoScope } from "../live.ts";
import type { RunPhase } from "../state.ts";

/** How a snapshot spells the phase of a run. */
export const phaseCodes = {
  unstarted: PhaseCode.UNSTARTED,
  void: PhaseCode.VOID,
  forward: PhaseCode.FORWARD,
  stopping: PhaseCode.STOPPING,
  compensating: PhaseCode.COMPENSATING,
  ending: PhaseCode.ENDING,
  ended: PhaseCode.ENDED,
} as const satisfies Readonly<Record<RunPhase, PhaseCode>>;

/** How a snapshot spells the state of a frame. */
export const frameCodes = {
  going: StateCode.GOING,
  stopping: StateCode.STOPPING,
  done: StateCode.DONE,
  failed: StateCode.FAILED,
  stopped: StateCode.STOPPED,
} as const satisfies Readonly<Record<FrameState, StateCode>>;

/** How a snapshot spells the state of an undo scope. */
export const undoCodes = {
  open: UndoCode.OPEN,
  merged: UndoCode.MERGED,
  covered: UndoCode.COVERED,
} as const satisfies Readonly<Record<UndoScope["state"], UndoCode>>;

/** How a snapshot spells how far a try is. */
export const stageCodes = {
  body: StageCode.BODY,
  catch: StageCode.CATCH,
  finally: StageCode.FINALLY,
} as const satisfies Readonly<Record<TryProgress["stage"], StageCode>>;

/** The phase of a run by its code. */
export const phases: ReadonlyMap<number, RunPhase> = inverse(phaseCodes);

/** The state of a frame by its code. */
export const frameStates: ReadonlyMap<number, FrameState> = inverse(frameCodes);

/** The state of an undo scope by its code. */
export const undoStates: ReadonlyMap<number, UndoScope["state"]> = inverse(undoCodes);

/** How far a try is by its code. */
export const stages: ReadonlyMap<number, TryProgress["stage"]> = inverse(stageCodes);

function inverse<T extends Readonly<Record<string, number>>>(codes: T): ReadonlyMap<number, Extract<keyof T, string>> {
  const names = new Map<number, Extract<keyof T, string>>();
  for (const name in codes) names.set(codes[name] ?? 0, name);
  return names;
}
