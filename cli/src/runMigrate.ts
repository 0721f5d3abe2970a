import {
  BulkAction_Kind as Action,
  Bulk_State,
  MigrationOfRun_Kind as Kind,
  PreviewMigrationResponse,
} from "../../proto/gen/sidestep/v1/runs.ts";
import type { MigrateRunResponse, MigrationOfRun } from "../../proto/gen/sidestep/v1/runs.ts";
import { actOnMany, nothing } from "./bulk.ts";
import { toRegistry } from "../../proto/json/registry.ts";
import { CliFailure, exit } from "./failure.ts";
import type { ExitCode } from "./failure.ts";
import { openFrontClient } from "./frontClient.ts";
import type { FrontClient } from "./frontClient.ts";
import { bytesToJson } from "./messageJson.ts";
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
  readonly reason: string;
  /** Of many, runs a second; 0: as the orchestrator does it. */
  readonly rate: number;
  readonly output: "table" | "json";
}

const previewTimeoutMs = 120_000;

/** Tells which runs can go on by another version, where, and where others can't; or has those go on that can. 10: some can't. */
export async function migrateRuns(options: MigrateOptions, terminal: Terminal): Promise<ExitCode> {
  const { runId, workflow, isPreview } = options;
  if (runId === undefined && workflow === undefined)
    throw new CliFailure(exit.usage, "no run is meant", "sidestep run migrate", "give a run id, or --workflow");
  using client = openFrontClient(options.address);
  if (runId !== undefined && !isPreview) {
    const { step } = await migrate(client, runId, options);
    const at = step === "" ? "" : `, at step ${step}`;
    terminal.err(`run ${runId} goes on by ${versionText(options.to)}${at}\n`);
    return exit.ok;
  }
  const { runs } = client;
  const asked = {
    workflow: workflow ?? "",
    toVersion: options.to,
    filter: options.filter,
    runId: runId ?? "",
    pageSize: 0,
  };
  if (!isPreview) return migrateMany({ ...options, workflow: workflow ?? "" }, terminal);
  const answer = await client.call(runs.previewMigration.bind(runs), asked, previewTimeoutMs);
  if (options.output === "json") {
    const bytes = PreviewMigrationResponse.encode(answer).finish();
    terminal.out(`${bytesToJson(toRegistry(), "sidestep.v1.PreviewMigrationResponse", bytes)}\n`);
  } else terminal.out(`${groupsText(answer, options.dropSignals)}\n`);
  const can = ({ kind }: MigrationOfRun): boolean => kind === Kind.CAN || (kind === Kind.DROPS && options.dropSignals);
  return answer.runs.every(can) ? exit.ok : exit.findings;
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
