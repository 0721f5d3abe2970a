import {
  BulkAction_Kind as Action,
  Bulk_State,
  MigrationOfRun_Kind as Kind,
  PreviewMigrationResponse,
} from "../../proto/gen/sidestep/v1/runs.ts";
import type { MigrateRunResponse, MigrationOfRun } from "../../proto/gen/sidestep/v1/runs.ts";
import { actOnMany, nothing } from "./bulk.ts";
import { toRegistry } from "../../proto/json/registry.ts";
import { exit } from "./failure.ts";
import type { ExitCode } from "./failure.ts";
import { openFrontClient } from "./frontClient.ts";
import type { FrontClient } from "./frontClient.ts";
import { bytesToJson } from "./messageJson.ts";
import { unclear } from "./programBulk.ts";
import { tableText } from "./table.ts";
import type { Terminal } from "./terminal.ts";

export interface MigrateOptions {
  readonly address: string;
  /** Undefined: those of `workflow` and `filter`. */
  readonly runId: string | undefined;
  readonly workflow: string | undefined;
  readonly filter: string;
  /** 0: the active version. */
  readonly to: number;
  /** Signals that wait for runs, and which the version does not know, may be dropped. */
  readonly dropSignals: boolean;
  /** Only tell. */
  readonly isPreview: boolean;
  /** Many are moved; without it they are only told. */
  readonly isSure: boolean;
  readonly reason: string;
  /** Of many, runs a second; 0: as the orchestrator does it. */
  readonly rate: number;
  readonly output: "table" | "json";
}

const previewTimeoutMs = 120_000;

/** Tells which runs can go on by another version, where, and where others can't; or has those go on that can. 10: some can't. */
export async function migrateRuns(options: MigrateOptions, terminal: Terminal): Promise<ExitCode> {
  const { runId, isPreview } = options;
  const workflow = workflowOf(options);
  using client = openFrontClient(options.address);
  if (runId !== undefined && !isPreview) {
    const { step } = await migrate(client, runId, options);
    const at = step === "" ? "" : `, at step ${step}`;
    terminal.err(`run ${runId} goes on by ${versionText(options.to)}${at}\n`);
    return exit.ok;
  }
  if (!isPreview && options.isSure) return migrateMany({ ...options, workflow }, terminal);
  return await preview(client, workflow, options, terminal);
}

/** Empty: one run is meant. Throws CliFailure when nothing says which runs are, or too much does. */
function workflowOf({ runId, workflow, filter, rate, isSure }: MigrateOptions): string {
  if (runId === undefined) {
    if (workflow === undefined) throw unclear("no run is meant", "give a run id, or --workflow");
    return workflow;
  }
  const ofMany =
    workflow !== undefined
      ? "--workflow"
      : filter !== ""
        ? "--filter"
        : rate > 0
          ? "--rate"
          : isSure
            ? "--yes"
            : undefined;
  if (ofMany !== undefined)
    throw unclear(`a run (${runId}) and ${ofMany} are given`, `leave the run's id or ${ofMany} out`);
  return "";
}

/** What can be done, of the runs that are looked into. */
async function preview(
  client: FrontClient,
  workflow: string,
  { runId = "", to, filter, output, dropSignals }: MigrateOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  const { runs } = client;
  const asked = { workflow, toVersion: to, filter, runId, pageSize: 0 };
  const answer = await client.call(runs.previewMigration.bind(runs), asked, previewTimeoutMs);
  if (output === "json") {
    const bytes = PreviewMigrationResponse.encode(answer).finish();
    terminal.out(`${bytesToJson(toRegistry(), "sidestep.v1.PreviewMigrationResponse", bytes)}\n`);
  } else terminal.out(`${groupsText(answer, dropSignals)}\n`);
  const can = ({ kind }: MigrationOfRun): boolean => kind === Kind.CAN || (kind === Kind.DROPS && dropSignals);
  const fitting = answer.runs.filter(can).length;
  if (runId === "" && fitting > 0) {
    const all = `${fitting} of ${answer.runs.length} runs${answer.more ? " and perhaps more" : ""}`;
    terminal.err(`${all} can go on by ${versionText(to)}; nothing was done; with --yes it is\n`);
  }
  return fitting === answer.runs.length ? exit.ok : exit.findings;
}

/** As an action on many runs: it goes on without this command, whatever happens to the orchestrator. */
async function migrateMany(
  { address, workflow, filter, to, reason, dropSignals, rate }: MigrateOptions & { readonly workflow: string },
  terminal: Terminal,
): Promise<ExitCode> {
  const parts = [`workflow == ${JSON.stringify(workflow)}`, ...(to === 0 ? [] : [`version != ${to}`])];
  const meant = [...parts, ...(filter === "" ? [] : [`(${filter})`])].join(" && ");
  const action = { ...nothing, kind: Action.MIGRATE, reason, toVersion: to, dropSignals };
  const ended = await actOnMany(
    "migrate",
    action,
    { address, filter: meant, reason, isPreview: false, rate },
    terminal,
  );
  if (ended === undefined) return exit.ok;
  terminal.err(`${ended.done} of ${ended.runs} runs go on by ${versionText(to)}\n`);
  return ended.refused === 0n && ended.state === Bulk_State.COMPLETED ? exit.ok : exit.findings;
}

async function migrate(
  client: FrontClient,
  runId: string,
  { to, reason, dropSignals }: MigrateOptions,
): Promise<MigrateRunResponse> {
  return client.call(client.runs.migrate.bind(client.runs), { runId, toVersion: to, reason, dropSignals });
}

function versionText(to: number): string {
  return to === 0 ? "the active version" : `version ${to}`;
}

/** Runs that are alike together: version, what can be done, where. */
function groupsText({ runs, more }: PreviewMigrationResponse, dropSignals: boolean): string {
  const groups = Map.groupBy(
    runs,
    ({ version, kind, step, anew, text, drops }) =>
      `${version} ${kind} ${step} ${anew.join()} ${text} ${drops.map(({ name }) => name).join()}`,
  );
  const rows = [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { version, step, text, runId } = first;
    return [[String(group.length), String(version), kindText(first, dropSignals), step, text, runId]];
  });
  const table = rows.length === 0 ? "no run" : tableText(["RUNS", "VERSION", "", "STEP", "WHY", "ONE OF THEM"], rows);
  return more ? `${table}and more, which were not looked into` : table.trimEnd();
}

function kindText({ kind, anew, drops }: MigrationOfRun, dropSignals: boolean): string {
  const can = anew.length === 0 ? "can" : `can, and tries ${anew.join(", ")} anew`;
  const signals = drops.map(({ name }) => name).join(", ");
  switch (kind) {
    case Kind.CAN:
      return can;
    case Kind.DROPS:
      return dropSignals
        ? `${can}, and loses signals that wait: ${signals}`
        : `only with --drop-signals: it does not know signals that wait: ${signals}`;
    case Kind.BUSY:
      return "not now: a call may be under way";
    case Kind.DIFFERS:
      return "can't: the other version would have done something else";
    case Kind.SUMMED_UP:
      return "can't: its history has been summed up";
    case Kind.ENDED:
      return "has ended";
    case Kind.SAME:
      return "is of that version";
    case Kind.KIND_UNSPECIFIED:
    case Kind.UNRECOGNIZED:
      return "can't";
  }
}
