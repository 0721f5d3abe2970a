import type { RunStarted } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import type { RunSnapshot } from "../../../../proto/gen/sidestep/internal/v1/snapshot.ts";
import type { TellParent } from "../command.ts";
import type { Frame, LiveStep } from "../live.ts";
import type { RunHold, RunState } from "../state.ts";
import { broken, required } from "./broken.ts";
import type { Parts } from "./rebuild.ts";

/** What of a run's state is about its talk with others. */
export type OutsideState = Pick<
  RunState,
  | "signals"
  | "signalIds"
  | "listeners"
  | "approvals"
  | "awaiting"
  | "locks"
  | "verifications"
  | "hold"
  | "parked"
  | "telling"
  | "deleting"
  | "rerun"
>;

/** Signals, waits, locks, children and holds of a run. */
export function toOutsideState(parts: Parts, stored: RunSnapshot, started: RunStarted): OutsideState {
  const stepsAt = (places: readonly number[]): readonly LiveStep[] =>
    places.map((place) => required(parts.step(place), "a step that waits"));
  return {
    signals: stored.signals.map(({ name, payload }) => ({ name, payload })),
    signalIds: new Set(stored.signalIds),
    listeners: toListeners(stepsAt(stored.listeners)),
    approvals: new Set(stepsAt(stored.approvals)),
    awaiting: new Set(stepsAt(stored.awaiting)),
    locks: new Set(stepsAt(stored.locks)),
    verifications: new Map(stepsAt(stored.verifications).map((step) => [step.path, step])),
    hold: stored.isHeld ? (stored.hold ?? unknownHold) : undefined,
    parked: new Set(stored.parked.map((part) => toParked(parts, part))),
    telling: toTelling(stored, started),
    deleting: stored.deletingAt === 0 ? undefined : { kind: "deleteRun", issuedAt: stored.deletingAt },
    rerun: stored.rerun === undefined ? undefined : { kind: "startRerun", ...stored.rerun },
  };
}

/** What was held when snapshots did not say by whom. */
const unknownHold: RunHold = { reason: "", actor: "", sinceMs: 0 };

function toListeners(steps: readonly LiveStep[]): Map<string, Set<LiveStep>> {
  const listeners = new Map<string, Set<LiveStep>>();
  for (const step of steps) {
    const name = step.plan.action.kind === "signal" ? step.plan.action.signal.name : broken("a step takes no signal");
    const waiting = listeners.get(name);
    if (waiting === undefined) listeners.set(name, new Set([step]));
    else waiting.add(step);
  }
  return listeners;
}

function toParked(parts: Parts, { kind }: RunSnapshot["parked"][number]): Frame | LiveStep {
  switch (kind?.$case) {
    case "frame":
      return required(parts.frame(kind.value), "a frame that is held");
    case "step":
      return required(parts.step(kind.value), "a step that is held");
    case undefined:
      return broken("what is held is unknown");
  }
}

function toTelling({ tellingAt, ended }: RunSnapshot, { parent }: RunStarted): TellParent | undefined {
  if (tellingAt === 0) return undefined;
  return {
    kind: "tellParent",
    issuedAt: tellingAt,
    parent: required(parent, "the parent of a run"),
    ended: required(ended, "the end of a run"),
  };
}
