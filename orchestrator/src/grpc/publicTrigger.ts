import {
  EventTrigger_State as State,
  RetriedEvent_Outcome as Outcome,
} from "../../../proto/gen/sidestep/v1/triggers.ts";
import type { EventTrigger, ParkedEvent, RetriedEvent } from "../../../proto/gen/sidestep/v1/triggers.ts";
import type { Parked } from "../processor/eventStreams.ts";
import type { RetriedMessage, ShownTrigger } from "../processor/triggers.ts";
import { toTimestamp } from "./time.ts";

/** A trigger as the API shows it. */
export function toPublicTrigger({ record, lag, parked }: ShownTrigger): EventTrigger {
  const { paused, retiredMs } = record;
  return {
    triggerId: record.id,
    workflow: record.workflow,
    name: record.trigger,
    pattern: record.pattern,
    type: record.type,
    signal: record.signal,
    state: stateOf(record),
    blocked: record.blocked,
    pausedBy: paused?.actor ?? "",
    pauseReason: paused?.reason ?? "",
    pausedAt: paused === undefined ? undefined : toTimestamp(paused.sinceMs),
    stream: record.stream,
    waiting: BigInt(lag.waiting),
    inHands: BigInt(lag.inHands),
    parked: BigInt(parked),
    createdAt: toTimestamp(record.createdMs),
    retiredAt: retiredMs === undefined ? undefined : toTimestamp(retiredMs),
  };
}

function stateOf({ retiredMs, paused, blocked }: ShownTrigger["record"]): State {
  if (retiredMs !== undefined) return State.RETIRED;
  if (paused !== undefined) return State.PAUSED;
  return blocked === "" ? State.ACTIVE : State.BLOCKED;
}

/** A parked message as the API shows it. */
export function toPublicParked({ id, parked }: Parked): ParkedEvent {
  const { code, reason, times, subject, stream, sequence, payload } = parked;
  return {
    parkedId: id,
    code,
    reason,
    parkedAt: toTimestamp(parked.parkedMs),
    times,
    subject,
    stream,
    sequence: BigInt(sequence),
    storedAt: toTimestamp(parked.storedMs),
    headers: Object.fromEntries(parked.headers.map(({ name, value }) => [name, value])),
    payload: Buffer.from(payload),
  };
}

/** What became of one. */
export function toRetried({ id: parkedId, outcome }: RetriedMessage): RetriedEvent {
  const told = (kind: Outcome, runId = "", reason = ""): RetriedEvent => ({ parkedId, outcome: kind, runId, reason });
  switch (outcome.kind) {
    case "started":
      return told(Outcome.STARTED, outcome.runId);
    case "joined":
      return told(Outcome.JOINED, outcome.runId);
    case "signalled":
      return told(Outcome.SIGNALLED, outcome.runId);
    case "unwanted":
      return told(Outcome.UNWANTED);
    case "garbage":
    case "early":
      return told(Outcome.PARKED, "", outcome.reason);
    case "later":
      return told(Outcome.AGAIN, "", outcome.reason);
    case "gone":
      return told(Outcome.GONE);
  }
}
