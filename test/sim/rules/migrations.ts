import { placeOf } from "../../../orchestrator/src/engine/ahead.ts";
import type { LoadedPlan } from "../../../orchestrator/src/engine/plan.ts";
import type { Turn } from "../../../orchestrator/src/engine/advance.ts";
import type { RunStarted } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import { attemptKey } from "../../../proto/wire/attempt.ts";
import type { StoredRecord } from "../../../testing/src/partition/log.ts";
import type { Engine } from "../engine.ts";
import type { Execution } from "../performed.ts";
import type { Judge } from "./judge.ts";
import type { Refolded } from "./run.ts";

/** Somebody was told that a run goes on by a plan, and where. */
export interface ToldMigration {
  readonly runId: string;
  readonly requestId: string;
  readonly at: string;
}

/** Where a migration that is in force found its run. */
type Place = Pick<ToldMigration, "requestId" | "at">;

/** What migrations are judged by. */
export interface MigrationsGround {
  readonly engine: Engine;
  readonly planOf: (started: RunStarted) => LoadedPlan | undefined;
  readonly runs: ReadonlyMap<string, Refolded>;
  readonly records: readonly StoredRecord[];
  readonly executions: readonly Execution[];
  readonly told: readonly ToldMigration[];
}

/**
 * A run goes on by another version where that has asked for the same, at the step of which somebody was told; nothing is called that its history, by
 * the version that it ended with, does not ask for.
 */
export function checkMigrations(judge: Judge, ground: MigrationsGround): void {
  const byRun = Map.groupBy(ground.records, ({ runId }) => runId);
  const inForce = new Map<string, readonly Place[]>();
  for (const runId of ground.runs.keys()) {
    const tell = (rule: string): void => void judge.violations.push(`${rule} (${runId})`);
    inForce.set(runId, migrationsOf(ground, byRun.get(runId) ?? [], tell));
  }
  for (const { runId, requestId, at } of ground.told) {
    // Who heard nothing has asked again.
    const places = inForce.get(runId)?.filter((one) => one.requestId === requestId);
    if (places !== undefined && !places.some((one) => one.at === at))
      judge.violations.push(
        `it goes on at ${places.map((one) => one.at).join()}, and somebody was told at ${at} (${runId})`,
      );
  }
  for (const [runId, { commands, state }] of ground.runs) {
    // What a run in its place has taken over was called by the other one.
    if ((inForce.get(runId)?.length ?? 0) === 0 || state.started?.rerun !== undefined) continue;
    const asked = new Set(commands.flatMap((it) => (it.kind === "publishTask" ? [attemptKey(runId, it.attempt)] : [])));
    for (const { runId: of, id } of ground.executions)
      if (of === runId && !asked.has(id)) judge.violations.push(`${id} was called, and its run did not ask for it`);
  }
}

function migrationsOf(
  ground: MigrationsGround,
  stored: readonly StoredRecord[],
  tell: (rule: string) => void,
): readonly Place[] {
  const found: Place[] = [];
  const records = stored.map(({ record }) => record);
  for (const [at, { fact, sequence }] of records.entries()) {
    if (fact.kind !== "event" || fact.event.kind?.$case !== "migrated") continue;
    const migrated = fact.event.kind.value;
    const before = ground.engine.startIn(records.slice(0, at));
    const after = ground.engine.startIn(records.slice(0, at + 1));
    if (before === undefined || after === undefined || before.planHash === after.planHash) continue;
    const [from, to] = [ground.planOf(before), ground.planOf(after)];
    const runId = stored[at]?.runId ?? "";
    if (from === undefined || to === undefined) continue;
    const one = foldedBy(ground, from, runId, records.slice(0, at));
    const other = foldedBy(ground, to, runId, records.slice(0, at));
    const anew = new Set(migrated.anew.map(({ step, compensation }) => `${step}/${compensation ? 1 : 0}`));
    if (textOf(one.commands, anew) !== textOf(other.commands, anew))
      tell(`it goes on at ${sequence} by a version that would have asked for something else`);
    found.push({ requestId: migrated.requestId, at: placeOf(to, other.state).step });
  }
  return found;
}

function foldedBy(
  { engine }: MigrationsGround,
  plan: LoadedPlan,
  runId: string,
  records: readonly StoredRecord["record"][],
) {
  const state = engine.newRun(runId);
  const commands: Turn["commands"][number][] = [];
  for (const record of records) commands.push(...engine.advance(plan, state, record).commands);
  return { state, commands };
}

/** All that was asked for; of steps that are tried anew only which attempts. */
function textOf(commands: Turn["commands"], anew: ReadonlySet<string>): string {
  return commands
    .map((it) => {
      const isAttempt = it.kind === "publishTask" || it.kind === "closeAttempt";
      const isAnew = isAttempt && anew.has(`${it.attempt.step}/${it.attempt.phase}`);
      return JSON.stringify(isAnew ? [it.kind, it.attempt] : it, bytesToo);
    })
    .join("\n");
}

function bytesToo(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
}
