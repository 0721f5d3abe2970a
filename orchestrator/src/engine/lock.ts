import type { LockHolder } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { LockSnapshot } from "../../../proto/gen/sidestep/internal/v1/snapshot.ts";
import { toHex } from "../../../proto/wire/runId.ts";
import type { Turn } from "./advance.ts";
import type { GrantLock } from "./command.ts";
import type { LogRecord } from "./record.ts";
import { snapshotIn } from "./snapshot/resume.ts";

/**
 * What the log of a lock adds up to: those who want it, by lockHolderName, in the order in which they asked. The first has it. Changed in place.
 */
export interface LockState {
  lastSequence: number;
  readonly queue: Map<string, LockHolder>;
  /** What the first was told; the holder's own log settles it. */
  grant: GrantLock | undefined;
}

/** A lock that nobody wants. */
export function newLock(): LockState {
  return { lastSequence: 0, queue: new Map(), grant: undefined };
}

/**
 * A lock, and what is to be folded on it, of all the records that its log has: from its last Snapshot, else from the start. What is below a Snapshot may
 * be gone in part, and nothing says so: no record of a lock is known to be its first. A takeover needs no earlier state either, for all that a lock
 * asks for is told by its state: the grant of whoever is the first.
 */
export function resumeLock(records: readonly LogRecord[]): {
  readonly state: LockState;
  readonly records: readonly LogRecord[];
} {
  const last = records.findLast((record) => snapshotIn(record) !== undefined);
  const snapshot = last === undefined ? undefined : snapshotIn(last);
  if (snapshot === undefined) return { state: newLock(), records };
  return {
    state: decodeLock(snapshot.state, snapshot.sequence),
    records: records.filter(({ sequence }) => sequence > snapshot.sequence),
  };
}

/** A lock's state as a Snapshot has it. */
export function encodeLock(state: LockState): Uint8Array {
  const holders = [...state.queue.values()];
  return LockSnapshot.encode({
    holders,
    lock: state.grant?.lock ?? "",
    grantedAt: state.grant?.issuedAt ?? 0,
  }).finish();
}

function decodeLock(bytes: Uint8Array, sequence: number): LockState {
  const { holders, lock, grantedAt } = LockSnapshot.decode(bytes);
  const [first] = holders;
  const queue = new Map(holders.map((holder) => [lockHolderName(holder), holder]));
  const granted: GrantLock | undefined =
    first === undefined ? undefined : { kind: "grantLock", issuedAt: grantedAt, lock, holder: first };
  return { lastSequence: sequence, queue, grant: granted };
}

/** One turn of a lock: a request queues, a release lets the next have it. Both are harmless when doubled, and a release undoes a request. */
export function advanceLock(state: LockState, { sequence, fact }: LogRecord): Turn {
  if (sequence <= state.lastSequence) return toTurn(false, undefined);
  state.lastSequence = sequence;
  const kind = fact.kind === "event" ? fact.event.kind : undefined;
  if (kind?.$case === "lockRequested") return request(state, kind.value.lock, kind.value.holder, sequence);
  if (kind?.$case === "lockReleased") return release(state, kind.value.lock, kind.value.holder, sequence);
  return toTurn(false, undefined);
}

/** A step of a run, as the queue of a lock knows it. */
export function lockHolderName({ runId, step }: LockHolder): string {
  return `${toHex(runId)}/${step?.step ?? ""}/g${step?.generation ?? 0}`;
}

function request(state: LockState, lock: string, holder: LockHolder | undefined, sequence: number): Turn {
  if (holder?.step === undefined) return toTurn(false, undefined);
  const name = lockHolderName(holder);
  const isNew = !state.queue.has(name);
  if (isNew) state.queue.set(name, holder);
  const [first] = state.queue.keys();
  // Whoever has it and asks again has not heard of it.
  return toTurn(isNew || first === name, first === name ? grant(state, lock, holder, sequence) : undefined);
}

function release(state: LockState, lock: string, holder: LockHolder | undefined, sequence: number): Turn {
  if (holder === undefined) return toTurn(false, undefined);
  const name = lockHolderName(holder);
  const [first] = state.queue.keys();
  if (!state.queue.delete(name)) return toTurn(false, undefined);
  if (first !== name) return toTurn(true, undefined);
  const [next] = state.queue.values();
  state.grant = undefined;
  return toTurn(true, next === undefined ? undefined : grant(state, lock, next, sequence));
}

function grant(state: LockState, lock: string, holder: LockHolder, issuedAt: number): GrantLock {
  state.grant = { kind: "grantLock", issuedAt, lock, holder };
  return state.grant;
}

function toTurn(isChanged: boolean, command: GrantLock | undefined): Turn {
  return { commands: command === undefined ? [] : [command], ignored: !isChanged, refusal: "", transitions: [] };
}
