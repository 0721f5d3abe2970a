import { attemptKey } from "../../../proto/wire/attempt.ts";
import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { OwnerRecord } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { Outcome } from "../../../proto/gen/sidestep/internal/v1/task.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { parseLogSubject } from "../../../proto/wire/subjects.ts";
import { engineRevision } from "../engine/revision.ts";
import type { LogRecord } from "../engine/record.ts";
import type { Credentials } from "./credentials.ts";
import type { LogMessage } from "./ports.ts";

/** What a message of a log is. */
export type Fact =
  | { readonly kind: "record"; readonly runId: RunId; readonly record: LogRecord }
  | { readonly kind: "owner"; readonly owner: string; readonly epoch: number }
  /** Not ours, or broken: set aside. `runId` and `isEvent` when at least its subject is a run's. */
  | { readonly kind: "garbage"; readonly runId: RunId | undefined; readonly isEvent: boolean; readonly reason: string }
  /** Only a newer version understands it. */
  | { readonly kind: "newer"; readonly needs: string };

/** Reads a message of a log. */
export function toFact(message: LogMessage, credentials: Credentials): Fact {
  const place = parseLogSubject(message.subject);
  if (place === undefined)
    return message.subject.endsWith("._owner") ? toOwner(message) : garbage("its subject is not a run's");
  const runId = parseRunId(place.runId);
  if (runId === undefined) return garbage("its subject names no run");
  return place.kind === "e" ? toEvent(message, runId) : toOutcome(message, runId, credentials);
}

function toEvent(message: LogMessage, runId: RunId): Fact {
  const event = decode(() => Event.decode(message.data));
  const { sequence, storedMs } = message;
  const revision = revisionOf(event);
  if (revision > engineRevision) return { kind: "newer", needs: `engine revision ${revision}` };
  if (event?.kind !== undefined && beginsWithMessage(message.data))
    return { kind: "record", runId, record: { sequence, storedMs, fact: { kind: "event", event } } };
  const number = event === undefined ? undefined : loneField(message.data);
  if (number !== undefined && number > lastKnownKind) return { kind: "newer", needs: `event kind ${number}` };
  return { kind: "garbage", runId, isEvent: true, reason: "it is no event" };
}

/** Of the engine that has to fold the run; 0: the event does not say. */
function revisionOf(event: Event | undefined): number {
  if (event?.kind?.$case === "runStarted") return event.kind.value.engineRevision;
  return event?.kind?.$case === "snapshot" ? (event.kind.value.started?.engineRevision ?? 0) : 0;
}

function toOutcome(message: LogMessage, runId: RunId, credentials: Credentials): Fact {
  const outcome = decode(() => Outcome.decode(message.data));
  if (outcome?.kind === undefined || outcome.attempt === undefined) {
    return { kind: "garbage", runId, isEvent: false, reason: "it is no outcome" };
  }
  const authentic = credentials.isAuthentic(attemptKey(runId, outcome.attempt), outcome.token);
  const { sequence, storedMs } = message;
  return { kind: "record", runId, record: { sequence, storedMs, fact: { kind: "outcome", outcome, authentic } } };
}

function toOwner(message: LogMessage): Fact {
  const record = decode(() => OwnerRecord.decode(message.data));
  return record === undefined
    ? garbage("it is no owner's record")
    : { kind: "owner", owner: record.owner, epoch: record.epoch };
}

function garbage(reason: string): Fact {
  return { kind: "garbage", runId: undefined, isEvent: false, reason };
}

/** Number of the last kind in message Event that this version knows. */
const lastKnownKind = 28;

/** An event begins with its kind, a message; text that happens to decode hardly ever does. */
function beginsWithMessage(data: Uint8Array): boolean {
  const tag = varint(data, 0);
  const length = tag === undefined || (tag.value & 7) !== 2 ? undefined : varint(data, tag.end);
  return length !== undefined && length.end + length.value <= data.length;
}

/**
 * The field number when the bytes are exactly one length-delimited field, which is what an event of a newer kind looks like; random bytes
 * hardly ever do.
 */
function loneField(data: Uint8Array): number | undefined {
  const tag = varint(data, 0);
  if (tag === undefined || (tag.value & 7) !== 2) return undefined;
  const length = varint(data, tag.end);
  if (length === undefined || length.end + length.value !== data.length) return undefined;
  return tag.value >>> 3;
}

function varint(data: Uint8Array, start: number): { readonly value: number; readonly end: number } | undefined {
  let value = 0;
  for (let i = 0; i < 4; i++) {
    const byte = data[start + i];
    if (byte === undefined) return undefined;
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) return { value, end: start + i + 1 };
  }
  return undefined;
}

function decode<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
