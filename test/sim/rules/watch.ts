import type { Turn } from "../../../orchestrator/src/engine/advance.ts";
import type { LiveStep } from "../../../orchestrator/src/engine/live.ts";
import type { LogRecord } from "../../../orchestrator/src/engine/record.ts";
import { stepAt } from "../../../orchestrator/src/engine/state.ts";
import type { RunState } from "../../../orchestrator/src/engine/state.ts";
import type { StepEnded } from "../../../orchestrator/src/engine/transition.ts";
import { approver } from "../workflow.ts";

/** A signal that a run took note of, or that a step took. */
export interface SeenSignal {
  readonly name: string;
  readonly payload: string;
}

/** How long a step had its lock, by its own run. */
export interface Tenure {
  readonly lock: string;
  readonly step: string;
  readonly fromSequence: number;
  readonly fromMs: number;
  /** Infinity: it never gave it back. */
  toSequence: number;
  toMs: number;
}

/** What a run had to do with people and with other runs, as its log tells, turn by turn. */
export interface Watched {
  /** In the order in which they came. */
  readonly accepted: SeenSignal[];
  /** In the order in which steps took them. */
  readonly taken: SeenSignal[];
  /** Steps that ended with a signal or without, and were forgotten with their pass in the same turn. */
  endedUnseen: number;
  /** Just before the end. */
  kept: readonly SeenSignal[];
  readonly tenures: Tenure[];
  /** What no turn may do. */
  readonly broken: string[];
}

/** Notes what a turn did; of the end, `beforeEnd` is called first. */
export interface Watch {
  readonly watched: Watched;
  readonly beforeEnd: (state: RunState) => void;
  readonly after: (state: RunState, record: LogRecord, turn: Turn) => void;
}

/** Nothing has been seen. */
export function openWatch(): Watch {
  const watched: Watched = { accepted: [], taken: [], endedUnseen: 0, kept: [], tenures: [], broken: [] };
  const open = new Map<LiveStep, Tenure>();
  let wasHeld = false;
  let asked = 0;
  return {
    watched,
    beforeEnd: (state) => {
      watched.kept = state.signals.map(({ name, payload }) => ({ name, payload: textOf(payload) }));
    },
    after: (state, record, turn) => {
      if (wasHeld && state.hold !== undefined) checkHeld(watched, turn);
      wasHeld = state.hold !== undefined;
      if (asked > 1 && !turn.ignored && isOfNoStep(record))
        watched.broken.push("a decision of no step was of one of several");
      asked = state.approvals.size;
      noteSignal(watched, record, turn);
      for (const it of turn.transitions) if (it.kind === "stepEnded") noteEnded(watched, state, record, it, turn);
      if (state.locks.size > 0 || open.size > 0) noteLocks(watched, open, state, record);
    },
  };
}

/** While a run is held nothing of it begins. */
function checkHeld({ broken }: Watched, { transitions }: Turn): void {
  for (const it of transitions) {
    if (it.kind === "stepBegan") broken.push(`${it.address.step} began while the run was held`);
    if (it.kind === "attemptBegan") broken.push(`an attempt of ${it.attempt.step} began while the run was held`);
  }
}

function textOf(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes);
}

function isOfNoStep({ fact }: LogRecord): boolean {
  return fact.kind === "event" && fact.event.kind?.$case === "decisionMade" && fact.event.kind.value.step === "";
}

function noteSignal({ accepted }: Watched, { fact }: LogRecord, { ignored }: Turn): void {
  if (ignored || fact.kind !== "event" || fact.event.kind?.$case !== "signalReceived") return;
  const { name, payload } = fact.event.kind.value;
  accepted.push({ name, payload: textOf(payload) });
}

function noteEnded(watched: Watched, state: RunState, record: LogRecord, ended: StepEnded, turn: Turn): void {
  const { action } = ended.plan;
  if (ended.result !== "completed" || ended.address.phase !== 0) return;
  if (action.kind !== "signal" && action.kind !== "approve") return;
  const event = record.fact.kind === "event" ? record.fact.event.kind : undefined;
  const step = stepAt(state, ended.address.step);
  // Its lock could not be asked for, and a person went on without it.
  if (event?.$case === "skipRequested" && event.value.step === ended.address.step) return;
  // A block ran in its place.
  if ((step?.inner?.entered ?? 0) > 0) return;
  if (action.kind === "signal") {
    if (step === undefined) watched.endedUnseen += 1;
    else watched.taken.push({ name: action.signal.name, payload: textOf(step.result?.bytes) });
    return;
  }
  const decision = event?.$case === "decisionMade" ? event.value : undefined;
  const mayDecide = action.approval.approvers === undefined || decision?.by === approver;
  if (step !== undefined && (turn.ignored || decision?.approved !== true || !mayDecide))
    watched.broken.push(`${ended.address.step} is approved, and nobody who may has said so`);
}

function noteLocks({ tenures }: Watched, open: Map<LiveStep, Tenure>, state: RunState, record: LogRecord): void {
  for (const [step, tenure] of open) {
    if (state.locks.has(step)) continue;
    tenure.toSequence = record.sequence;
    tenure.toMs = record.storedMs;
    open.delete(step);
  }
  for (const step of state.locks) {
    const lock = step.outside?.lock;
    if (lock?.isGranted !== true || open.has(step)) continue;
    const { sequence: fromSequence, storedMs: fromMs } = record;
    const tenure = { lock: lock.name, step: step.path, fromSequence, fromMs, toSequence: Infinity, toMs: Infinity };
    open.set(step, tenure);
    tenures.push(tenure);
  }
}
