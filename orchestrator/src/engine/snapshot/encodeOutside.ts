import type {
  RunSnapshot,
  RunSnapshot_Outside as StoredOutside,
} from "../../../../proto/gen/sidestep/internal/v1/snapshot.ts";
import type { Outside } from "../outside.ts";
import type { RunState } from "../state.ts";
import type { Whole } from "./parts.ts";
import type { AllPlaces } from "./places.ts";

/** What of a run's head is about its talk with others. */
export type OutsideHead = Pick<
  Whole<RunSnapshot>,
  | "signals"
  | "signalIds"
  | "listeners"
  | "approvals"
  | "awaiting"
  | "locks"
  | "verifications"
  | "isHeld"
  | "hold"
  | "parked"
  | "tellingAt"
  | "deletingAt"
  | "rerun"
>;

/** Signals, waits, locks, children and holds of a run. */
export function toOutsideHead(state: RunState, { steps, frames }: AllPlaces): OutsideHead {
  return {
    signals: state.signals.map(({ name, payload }) => ({ name, payload })),
    signalIds: [...state.signalIds],
    listeners: [...state.listeners.values()].flatMap((waiting) => [...waiting].map((step) => steps.of(step))),
    approvals: [...state.approvals].map((step) => steps.of(step)),
    awaiting: [...state.awaiting].map((step) => steps.of(step)),
    locks: [...state.locks].map((step) => steps.of(step)),
    verifications: [...state.verifications.values()].map((step) => steps.of(step)),
    isHeld: state.hold !== undefined,
    hold: state.hold,
    parked: [...state.parked].map((part) =>
      part.kind === "frame"
        ? { kind: { $case: "frame", value: frames.of(part) } }
        : { kind: { $case: "step", value: steps.of(part) } },
    ),
    tellingAt: state.telling?.issuedAt ?? 0,
    deletingAt: state.deleting?.issuedAt ?? 0,
    rerun: state.rerun,
  };
}

/** What a step has asked of the world besides calls. */
export function toStoredOutside({ child, childAt, stop, emit, lock, decision }: Outside): StoredOutside {
  return {
    child:
      child === undefined
        ? undefined
        : {
            issuedAt: child.issuedAt,
            at: child.at,
            workflow: child.workflow,
            request: child.request,
            key: child.key,
            detach: child.detach,
          },
    childAt,
    stop:
      stop === undefined
        ? undefined
        : { issuedAt: stop.issuedAt, at: stop.at, terminates: stop.how === "terminate", reason: stop.reason },
    emit:
      emit === undefined
        ? undefined
        : { issuedAt: emit.issuedAt, at: emit.at, subject: emit.subject, type: emit.type, message: emit.message },
    lock:
      lock === undefined
        ? undefined
        : { issuedAt: lock.request.issuedAt, at: lock.at, name: lock.name, isGranted: lock.isGranted },
    decision,
  } satisfies Whole<StoredOutside>;
}
