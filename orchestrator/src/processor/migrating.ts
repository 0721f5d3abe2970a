import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Migrated as MigratedEvent } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { partitionOf } from "../../../proto/wire/layout.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { migrationOf } from "../engine/migration.ts";
import { startIn } from "../engine/snapshot/resume.ts";
import type { Unavailable, Unknown } from "./front.ts";
import { isHidden, readRecords, readState } from "./inspect.ts";
import type { InspectGround } from "./inspect.ts";
import { withPayloads } from "./loading.ts";
import { late } from "./requests.ts";
import type { Migrated, MigrationFound, MigrationRequest } from "./migration.ts";
import { theFold, waitFor } from "./wait.ts";
import type { WaitGround } from "./wait.ts";

export type MigrateGround = InspectGround & WaitGround;

interface Looked {
  readonly found: MigrationFound;
  /** Of its last event, and of its last outcome. */
  readonly lastEvent: number;
  readonly lastOutcome: number;
}

/** So often a run may move on while it is looked at. */
const tries = 8;

/** Whether a run can go on by a plan. Undefined: there is no such run. Throws when NATS does not answer. */
export async function lookAtMigration(
  ground: InspectGround,
  runId: RunId,
  planHash: Uint8Array,
): Promise<MigrationFound | undefined> {
  return (await look(ground, runId, planHash))?.found;
}

/**
 * Has a run go on by another plan, if it can: what is written counts only if nothing has come to the run since it was looked at, so that all that
 * was compared is all there is before it. Else it is tried again. Throws when NATS does not answer.
 */
export async function migrateRun(
  ground: MigrateGround,
  runId: RunId,
  { dropSignals, ...asked }: MigrationRequest,
  signal: AbortSignal,
): Promise<Migrated | Unknown | Unavailable> {
  const partition = partitionOf(ground.layouts, runId);
  if (partition === undefined) return { kind: "unknown" };
  const log = ground.logOf(partition);
  for (let at = 0; at < tries; at++) {
    const looked = await look(ground, runId, asked.planHash);
    if (looked === undefined) return { kind: "unknown" };
    const { found, lastEvent, lastOutcome } = looked;
    if (found.kind !== "can") return found;
    if (found.drops.length > 0 && !dropSignals) return { kind: "drops", signals: found.drops };
    // What came of one subject while the other one was read may be missing, and stand before what was read.
    const stands = await log.positions(runId);
    if (stands.event !== lastEvent || stands.outcome !== lastOutcome) continue;
    const value: MigratedEvent = {
      ...asked,
      through: Math.max(lastEvent, lastOutcome),
      anew: [...found.anew],
      droppedSignals: [...found.drops],
    };
    const event = Event.encode({ kind: { $case: "migrated", value } }).finish();
    const written = await log.appendAfter(runId, lastEvent, event, { signal });
    if (written.kind === "conflict") continue;
    if (written.kind !== "stored") return late;
    const waited = await waitFor(ground, runId, theFold(written.sequence), signal);
    if (waited === "aborted") return late;
    if (await isInForceAt(ground, runId, written.sequence, value)) return { kind: "done", at: found.at };
  }
  return { kind: "busy", step: "" };
}

/** No outcome has come in between, whatever came since. Whoever folded it may have forgotten by now what it was: it is read again. */
async function isInForceAt(
  ground: InspectGround,
  runId: RunId,
  sequence: number,
  { planHash, through }: Pick<MigratedEvent, "planHash" | "through">,
): Promise<boolean> {
  const read = await readRecords(ground, runId);
  if (read === undefined) return false;
  const at = read.records.findIndex((record) => record.sequence === sequence);
  if (at > 0) return (read.records[at - 1]?.sequence ?? 0) <= through;
  // A Snapshot has summed it up: that has the plan.
  const started = startIn(read.records);
  return started !== undefined && isEqual(started.planHash, planHash);
}

async function look(ground: InspectGround, runId: RunId, planHash: Uint8Array): Promise<Looked | undefined> {
  const read = await readRecords(ground, runId);
  const to = await ground.plans.load(planHash);
  const started = read === undefined ? undefined : startIn(read.records);
  if (read === undefined || started === undefined || to === undefined) return undefined;
  const { plan, messages } = read;
  const { version } = started;
  const lastOf = (kind: "e" | "o"): number =>
    messages.findLast(({ subject }) => subject.endsWith(`.${kind}`))?.sequence ?? 0;
  const [lastEvent, lastOutcome] = [lastOf("e"), lastOf("o")];
  if (isEqual(started.planHash, planHash)) return { found: { kind: "same", version }, lastEvent, lastOutcome };
  const folded = await readState(ground, runId);
  if (folded === undefined || isHidden(folded.state)) return undefined;
  const records = await withPayloads(ground.payloads, to, read.records);
  return { found: { ...migrationOf(plan, to, runId, records), version }, lastEvent, lastOutcome };
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
