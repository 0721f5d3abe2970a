import type {
  MigrateRunRequest,
  MigrateRunResponse,
  MigrationOfRun,
  PreviewMigrationRequest,
  PreviewMigrationResponse,
} from "../../../proto/gen/sidestep/v1/runs.ts";
import { MigrationOfRun_Kind as Kind } from "../../../proto/gen/sidestep/v1/runs.ts";
import { parseRunId } from "../../../proto/wire/runId.ts";
import type { RunId } from "../../../proto/wire/runId.ts";
import { code } from "../../../proto/wire/status.ts";
import type { RunFilter } from "../compile/filter/runFilter.ts";
import type { DroppedSignals } from "../engine/migration.ts";
import type { Definitions } from "../processor/definitions.ts";
import type { Front } from "../processor/front.ts";
import type { MigrationFound, MigrationRequest } from "../processor/migration.ts";
import { absenceFailure, workflowNotFound } from "./failure.ts";
import type { Failure } from "./failure.ts";
import { asked } from "./listing.ts";
import type { ListsOptions } from "./listing.ts";
import { runEnded } from "./runFailure.ts";
import { done, failed } from "./unary.ts";
import type { Answered } from "./unary.ts";

export interface MigratingOptions {
  readonly front: Pick<Front, "migration" | "migrate" | "get">;
  readonly definitions: Pick<Definitions, "get">;
}

interface Target {
  readonly version: number;
  readonly planHash: Uint8Array;
}

const migrateTimeoutMs = 10_000;
const runsMax = 1_000;
/** Runs that are read and folded at a time. */
const atOnce = 8;

/** Whether runs can go on by another version, and where not. */
export async function previewMigration(
  request: PreviewMigrationRequest,
  options: MigratingOptions & ListsOptions,
): Promise<Answered<PreviewMigrationResponse>> {
  const { front } = options;
  if (request.runId !== "") {
    const runId = parseRunId(request.runId);
    const got = runId === undefined ? undefined : await front.get(runId);
    if (runId === undefined || got?.kind !== "run")
      return failed(absenceFailure(request.runId, got?.kind === "unavailable" ? got : { kind: "unknown" }));
    const target = targetOf(options, got.run.workflow, request.toVersion);
    if (target === undefined) return failed(noVersion(got.run.workflow, request.toVersion));
    const looked = await lookAt(front, runId, target);
    return looked.kind === "failure" ? looked : done({ runs: [looked.answer], more: false });
  }
  const target = targetOf(options, request.workflow, request.toVersion);
  if (target === undefined) return failed(noVersion(request.workflow, request.toVersion));
  const limit = request.pageSize > 0 ? Math.min(request.pageSize, runsMax) : runsMax;
  const rows = await asked(options.lists, request.filter, Date.now(), async ({ store }, filter) =>
    store.list({ filter: liveOf(request.workflow, target.version, filter), after: undefined, limit: limit + 1 }),
  );
  if (rows.kind === "failure") return rows;
  const page = rows.answer.slice(0, limit);
  const runs: MigrationOfRun[] = [];
  for (let at = 0; at < page.length; at += atOnce) {
    const part = page.slice(at, at + atOnce).flatMap(({ id }) => parseRunId(id) ?? []);
    for (const looked of await Promise.all(part.map((id) => lookAt(front, id, target))))
      if (looked.kind === "answer") runs.push(looked.answer);
  }
  return done({ runs, more: rows.answer.length > limit });
}

/** What is asked of a run: the version to go on by, of its workflow; 0: the active one. */
interface Wanted extends Pick<MigrateRunRequest, "reason" | "dropSignals"> {
  readonly toVersionOf: (workflow: string) => number;
}

/** Has a run go on by another version of its workflow. */
export async function migrate(
  runId: RunId,
  { toVersionOf, reason, dropSignals }: Wanted,
  by: Pick<MigrationRequest, "actor" | "requestId">,
  options: MigratingOptions,
): Promise<Answered<MigrateRunResponse>> {
  const { front } = options;
  const got = await front.get(runId);
  if (got.kind !== "run") return failed(absenceFailure(runId, got));
  const { workflow } = got.run;
  const toVersion = toVersionOf(workflow);
  const target = targetOf(options, workflow, toVersion);
  if (target === undefined) return failed(noVersion(workflow, toVersion));
  const result = await front.migrate(
    runId,
    { ...target, reason, dropSignals, ...by },
    AbortSignal.timeout(migrateTimeoutMs),
  );
  switch (result.kind) {
    case "done":
      return done({ already: false, step: result.at });
    case "same":
      return done({ already: true, step: "" });
    case "ended":
      return failed(runEnded(runId));
    case "drops":
      return failed(dropsSignals(runId, result.signals));
    case "busy":
      return failed(busy(runId, result.step));
    case "differs": {
      const where = result.step === "" ? "" : `, step ${result.step}`;
      return failed(notMigratable(runId, `event ${result.sequence}${where}: ${result.text}`, { step: result.step }));
    }
    case "summedUp":
      return failed(notMigratable(runId, "its history has been summed up, so that nobody can compare it", {}));
    case "can":
    case "unknown":
      return failed(absenceFailure(runId, { kind: "unknown" }));
    case "unavailable":
      return failed(absenceFailure(runId, result));
  }
}

function targetOf(
  { definitions }: Pick<MigratingOptions, "definitions">,
  workflow: string,
  wanted: number,
): Target | undefined {
  const entry = definitions.get(workflow);
  const found = entry?.version.find(({ number }) => number === (wanted === 0 ? entry.activeVersion : wanted));
  return found === undefined ? undefined : { version: found.number, planHash: found.planHash };
}

async function lookAt(
  front: MigratingOptions["front"],
  runId: RunId,
  { planHash }: Target,
): Promise<Answered<MigrationOfRun>> {
  const found = await front.migration(runId, planHash);
  return found.kind === "unknown" || found.kind === "unavailable"
    ? failed(absenceFailure(runId, found))
    : done({ runId, ...shown(found) });
}

function shown(found: MigrationFound): Omit<MigrationOfRun, "runId"> {
  const { version } = found;
  const none = { version, sequence: 0n, step: "", text: "", anew: [], drops: [] };
  switch (found.kind) {
    case "can": {
      const kind = found.drops.length === 0 ? Kind.CAN : Kind.DROPS;
      return { ...none, kind, step: found.at, anew: found.anew.map(({ step }) => step), drops: [...found.drops] };
    }
    case "same":
      return { ...none, kind: Kind.SAME };
    case "ended":
      return { ...none, kind: Kind.ENDED };
    case "summedUp":
      return { ...none, kind: Kind.SUMMED_UP };
    case "busy":
      return { ...none, kind: Kind.BUSY, step: found.step };
    case "differs":
      return { ...none, kind: Kind.DIFFERS, sequence: BigInt(found.sequence), step: found.step, text: found.text };
  }
}

/** Live runs of other versions, those of a filter. */
function liveOf(workflow: string, version: number, filter: RunFilter): RunFilter {
  const text = { kind: "text", value: workflow } as const;
  const number = { kind: "number", value: version } as const;
  return {
    kind: "all",
    of: [
      { kind: "compare", place: { kind: "field", name: "workflow" }, operator: "=", value: text },
      { kind: "not", of: { kind: "compare", place: { kind: "field", name: "version" }, operator: "=", value: number } },
      { kind: "not", of: { kind: "present", place: { kind: "field", name: "ended" } } },
      filter,
    ],
  };
}

function noVersion(workflow: string, version: number): Failure {
  return workflowNotFound(version === 0 ? workflow : `${workflow}, version ${version}`);
}

function busy(runId: string, step: string): Failure {
  const what = step === "" ? "it moves on" : `a call of ${step} may be under way, which that version makes otherwise`;
  return {
    code: code.ABORTED,
    message: `run ${runId} can't go on by another version now: ${what}`,
    reason: "RUN_BUSY",
    metadata: { run_id: runId, step },
  };
}

function dropsSignals(runId: string, signals: readonly DroppedSignals[]): Failure {
  const names = signals.map(({ name, count }) => `${count} × ${name}`).join(", ");
  return {
    code: code.FAILED_PRECONDITION,
    message: `run ${runId} would lose signals that wait for it to take them, for that version does not know them: ${names}`,
    reason: "DROPS_SIGNALS",
    metadata: { run_id: runId },
  };
}

function notMigratable(runId: string, why: string, more: Readonly<Record<string, string>>): Failure {
  return {
    code: code.FAILED_PRECONDITION,
    message: `run ${runId} can't go on by that version: ${why}`,
    reason: "NOT_MIGRATABLE",
    metadata: { run_id: runId, ...more },
  };
}
