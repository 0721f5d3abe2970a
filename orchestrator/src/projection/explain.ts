import { Waiting_Kind as Kind } from "../../../proto/gen/sidestep/v1/waiting.ts";
import type { Offer, Waiting } from "../../../proto/gen/sidestep/v1/waiting.ts";
import { waitingText } from "./waitingText.ts";

/** What is known besides a run's own events. */
export interface Surroundings {
  readonly nowMs: number;
  /** Sidecars that take the tasks of a method's service; undefined: not known. */
  readonly offersOf: (method: string) => readonly Offer[] | undefined;
  /** Who holds back calls of a method in the run's workflow, and why; undefined: nobody. */
  readonly holdOf: (method: string) => { readonly reason: string; readonly actor: string } | undefined;
  readonly isLimited: (method: string) => boolean;
  /** Why no service that runs fits the call of a step; undefined: one does, or it is not known. */
  readonly driftOf: (method: string, path: string) => string | undefined;
  /** Who has a lock, and how many get it before a step does; undefined: not known. */
  readonly queueOf: (
    lock: string,
    step: string,
  ) => { readonly runId: string; readonly step: string; readonly place: number } | undefined;
}

/** Why a run stands where it stands. */
export interface Explanation {
  readonly sentence: string;
  readonly waiting: readonly Waiting[];
  readonly more: number;
}

const toldMax = 100;

/** The run's waits, none of one that has ended, with all that is known of them, those first about which a person can do something. */
export function explain(waits: readonly Waiting[], around: Surroundings): Explanation {
  const known = waits.map((wait) => withSurroundings(wait, around)).toSorted((a, b) => a.kind - b.kind);
  const told = known.slice(0, toldMax).map((wait) => withSentence(wait, around.nowMs));
  const [first] = told;
  const others = known.length - 1;
  const more = others < 1 ? "" : others === 1 ? " (and one more step waits)" : ` (and ${others} more steps wait)`;
  return {
    sentence: first === undefined ? "the run: has ended." : `${first.sentence}${more}`,
    waiting: told,
    more: known.length - told.length,
  };
}

function withSentence(wait: Waiting, nowMs: number): Waiting {
  return { ...wait, sentence: waitingText(wait, nowMs) };
}

function withSurroundings(wait: Waiting, around: Surroundings): Waiting {
  switch (wait.kind) {
    case Kind.LOCK: {
      const queue = around.queueOf(wait.lock, wait.step);
      return queue === undefined
        ? wait
        : { ...wait, lockRunId: queue.runId, lockStep: queue.step, lockPlace: queue.place };
    }
    case Kind.HOLD: {
      const hold = around.holdOf(wait.method);
      return hold === undefined ? withDrift(wait, around) : { ...wait, reason: hold.reason, actor: hold.actor };
    }
    case Kind.OUTCOME: {
      const drifted = withDrift(wait, around);
      if (drifted !== wait) return drifted;
      const offers = around.offersOf(wait.method);
      return offers === undefined ? wait : { ...wait, offers: [...offers], kind: kindBy(wait, offers, around) };
    }
    case Kind.KIND_UNSPECIFIED:
    case Kind.INCIDENT:
    case Kind.PAUSED:
    case Kind.APPROVAL:
    case Kind.SIGNAL:
    case Kind.SIDECAR:
    case Kind.BREAKER:
    case Kind.BACKOFF:
    case Kind.LIMIT:
    case Kind.CLOSING:
    case Kind.VERIFYING:
    case Kind.DOUBT:
    case Kind.TIMER:
    case Kind.CHILD:
    case Kind.MESSAGE:
    case Kind.WRITE:
    case Kind.TURN:
    case Kind.END:
    case Kind.DRIFT:
    case Kind.UNRECOGNIZED:
      return wait;
  }
}

function withDrift(wait: Waiting, around: Surroundings): Waiting {
  const reason = around.driftOf(wait.method, wait.step);
  return reason === undefined ? wait : { ...wait, kind: Kind.DRIFT, reason };
}

function kindBy({ method }: Waiting, offers: readonly Offer[], around: Surroundings): Kind {
  if (offers.length === 0) return Kind.SIDECAR;
  if (offers.every(({ broken }) => broken)) return Kind.BREAKER;
  return around.isLimited(method) ? Kind.LIMIT : Kind.OUTCOME;
}
