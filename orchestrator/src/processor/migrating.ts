import { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { partitionOf } from "../../../proto/wire/layout.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { migrationOf } from "../engine/migration.ts";
import type { LogRecord } from "../engine/record.ts";
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
  /** Of its last event. */
  readonly lastEvent: number;
}

/** So often a run may move on while it is looked at. */
const tries = 5;

/** Whether a run can go on by a plan. Undefined: there is no such run. Throws when NATS does not answer. */
export async function lookAtMigration(
  ground: InspectGround,
  runId: RunId,
  planHash: Uint8Array,
): Promise<MigrationFound | undefined> {
  return (await look(ground, runId, planHash))?.found;
}

/**
 * Has a run go on by another plan, if it can: written only where nothing has come to the run since it was looked at, when no call is under way
 * either, so that all that was compared is all there is before it. Throws when NATS does not answer.
 */
export async function migrateRun(
  ground: MigrateGround,
  runId: RunId,
  request: MigrationRequest,
  signal: AbortSignal,
): Promise<Migrated | Unknown | Unavailable> {
  const partition = partitionOf(ground.layouts, runId);
  if (partition === undefined) return { kind: "unknown" };
  const event = Event.encode({ kind: { $case: "migrated", value: request } }).finish();
  for (let at = 0; at < tries; at++) {
    const looked = await look(ground, runId, request.planHash);
    if (looked === undefined) return { kind: "unknown" };
    if (looked.found.kind !== "can") return looked.found;
    const written = await ground.logOf(partition).appendAfter(runId, looked.lastEvent, event, { signal });
    if (written.kind === "conflict") continue;
    if (written.kind !== "stored") return late;
    const waited = await waitFor(ground, runId, theFold(written.sequence), signal);
    return waited !== "aborted" && waited.$case === "folded" ? { kind: "done" } : late;
  }
  return { kind: "busy", step: "" };
}

async function look(ground: InspectGround, runId: RunId, planHash: Uint8Array): Promise<Looked | undefined> {
  const found = await readRecords(ground, runId);
  const to = await ground.plans.load(planHash);
  const started = found === undefined ? undefined : startIn(found.records);
  if (found === undefined || started === undefined || to === undefined) return undefined;
  const { version } = started;
  const lastEvent = lastEventIn(found.records);
  if (isEqual(started.planHash, planHash)) return { found: { kind: "same", version }, lastEvent };
  const folded = await readState(ground, runId);
  if (folded === undefined || isHidden(folded.state)) return undefined;
  const records = await withPayloads(ground.payloads, to, found.records);
  return { found: { ...migrationOf(found.plan, to, runId, records), version }, lastEvent };
}

function lastEventIn(records: readonly LogRecord[]): number {
  return records.findLast(({ fact }) => fact.kind === "event")?.sequence ?? 0;
}

function isEqual(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
