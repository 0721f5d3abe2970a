import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Snapshot } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { encodeLock } from "../engine/lock.ts";
import type { LockState } from "../engine/lock.ts";
import type { LogRecord } from "../engine/record.ts";
import { encodeRun } from "../engine/snapshot/encode.ts";
import { snapshotIn } from "../engine/snapshot/resume.ts";
import type { RunState } from "../engine/state.ts";
import { aboutRun } from "./aboutRun.ts";
import type { Ownership } from "./ownership.ts";
import type { ResidentRun } from "./residentRun.ts";

/** One that met another event is tried again after so many records. */
const againAfter = 50;
const giveUpAfterMs = 10_000;

/**
 * Appends what a long run adds up to, so that it can be read from there on and what is below can be cut. Expects, as the end does, that no event
 * has come since; else it is tried again some records later. Nothing waits for it.
 */
export function sumUp(owner: Ownership, run: ResidentRun): void {
  const { state } = run;
  if (run.isSummingUp || state?.started === undefined || !isDue(run, state, owner.bounds.snapshotEvery)) return;
  const snapshot = { sequence: state.lastSequence, started: state.started, state: encodeRun(state) };
  append(owner, run, snapshot, Math.max(state.lastEvent, run.seenEvent));
}

/** The same of a lock, which nothing else would ever shorten. */
export function sumUpLock(owner: Ownership, run: ResidentRun, lock: LockState): void {
  if (run.isSummingUp || run.folded < owner.bounds.snapshotEvery + lock.queue.size) return;
  append(owner, run, { sequence: lock.lastSequence, started: undefined, state: encodeLock(lock) }, run.seenEvent);
}

function append(owner: Ownership, run: ResidentRun, snapshot: Snapshot, expected: number): void {
  const event = Event.encode({ kind: { $case: "snapshot", value: snapshot } }).finish();
  run.isSummingUp = true;
  owner.log
    .appendAfter(run.runId, expected, event, { signal: owner.signal, giveUpAtMs: owner.now() + giveUpAfterMs })
    .then((written) => {
      // It comes back as a record.
      if (written.kind === "stored") return;
      run.isSummingUp = false;
      run.folded = written.kind === "rejected" ? 0 : run.folded - againAfter;
      if (written.kind !== "rejected") return;
      owner.counts.oversizedSnapshots++;
      owner.logger.warn("a run holds more than a message takes and is not summed up; its history stays whole", {
        ...aboutRun(run),
        sizeBytes: event.length,
        reason: written.reason,
      });
    })
    .catch(owner.fail);
}

/** What a snapshot costs grows with what the run holds: so that it stays the same for each record, many steps are summed up less often. */
function isDue({ folded }: ResidentRun, state: RunState, every: number): boolean {
  if (folded < every + state.steps.size / 2) return false;
  return state.phase === "forward" || state.phase === "stopping" || state.phase === "compensating";
}

/** Counts the record; a Snapshot lets what is below it be cut. */
export function noteSnapshot(owner: Ownership, run: ResidentRun, record: LogRecord): void {
  const snapshot = snapshotIn(record);
  run.folded++;
  if (snapshot === undefined) return;
  run.folded = 0;
  run.isSummingUp = false;
  if (snapshot.sequence > run.cutThrough)
    owner.cuts.add(run.runId, { through: snapshot.sequence, position: record.sequence });
  run.cutThrough = snapshot.sequence;
}
