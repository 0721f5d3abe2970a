import type { RunStarted, Snapshot, Migrated } from "../../../../proto/gen/sidestep/internal/v1/event.ts";
import type { LoadedPlan } from "../plan.ts";
import type { LogRecord } from "../record.ts";
import { newRun } from "../state.ts";
import type { RunState } from "../state.ts";
import { decodeRun } from "./decode.ts";

/** Where reading a run begins: a state, and what is to be folded on it. */
export interface Resumed {
  readonly state: RunState;
  readonly records: readonly LogRecord[];
}

/**
 * Where a run's records, all that the log has of them in order, are to be folded from: its last Snapshot, else its start. What is below a
 * Snapshot may be gone in part and is not looked at. `upTo` leaves out Snapshots that are stored behind it, when there is anything before them;
 * nobody has cut below those yet. Throws when the snapshot is not one of such a run.
 */
export function resume(
  plan: LoadedPlan,
  runId: string,
  records: readonly LogRecord[],
  upTo: number = Infinity,
): Resumed {
  const snapshot = lastSnapshot(records, upTo) ?? (records.some(isStart) ? undefined : lastSnapshot(records, Infinity));
  if (snapshot?.started === undefined) return { state: newRun(runId), records };
  return {
    state: decodeRun(plan, runId, snapshot.started, snapshot.state),
    records: records.filter(({ sequence }) => sequence > snapshot.sequence),
  };
}

function lastSnapshot(records: readonly LogRecord[], upTo: number): Snapshot | undefined {
  for (let at = records.length - 1; at >= 0; at--) {
    const record = records[at];
    const snapshot = record === undefined || record.sequence > upTo ? undefined : snapshotIn(record);
    if (snapshot !== undefined) return snapshot;
  }
  return undefined;
}

/** The Snapshot that a record is, if it is one. */
export function snapshotIn({ fact }: LogRecord): Snapshot | undefined {
  return fact.kind === "event" && fact.event.kind?.$case === "snapshot" ? fact.event.kind.value : undefined;
}

/** Is it the run's very first record? */
export function isStart({ fact }: LogRecord): boolean {
  return fact.kind === "event" && fact.event.kind?.$case === "runStarted";
}

/**
 * The RunStarted among a run's records, or in the last Snapshot among them; its plan_hash names the plan to load: that of the last version which the
 * run was migrated to, which asks for the same as those before.
 */
export function startIn(records: readonly LogRecord[]): RunStarted | undefined {
  let started: RunStarted | undefined;
  let before = 0;
  for (const { fact, sequence } of records) {
    const kind = fact.kind === "event" ? fact.event.kind : undefined;
    if (kind?.$case === "runStarted") started ??= kind.value;
    // Below it outcomes may be gone that a migration did not know of; it says what they came to.
    if (kind?.$case === "snapshot") started = kind.value.started ?? started;
    if (kind?.$case === "migrated" && isInForce(kind.value, before))
      started = started && { ...started, ...planOf(kind.value) };
    before = sequence;
  }
  return started;
}

/** Nothing has come to the run that whoever migrated it did not know of. `before`: position of the run's record before it. */
export function isInForce({ through }: Migrated, before: number): boolean {
  return through === 0 || before <= through;
}

/** Does the run go on by another plan from here on, if that is in force? */
export function isMigration({ fact }: LogRecord): boolean {
  return fact.kind === "event" && fact.event.kind?.$case === "migrated";
}

/** What a migration changes of a RunStarted. */
export function planOf({ version, planHash }: Migrated): Pick<RunStarted, "version" | "planHash"> {
  return { version, planHash };
}
