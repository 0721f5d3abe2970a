import { MigrationOfRun_Kind as Kind, PreviewMigrationResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import type { MigrationOfRun } from "../../proto/gen/sidestep/v1/runs.ts";
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
  /** Only tell. */
  readonly isPreview: boolean;
  readonly reason: string;
  readonly output: "table" | "json";
}

const previewTimeoutMs = 120_000;

/** Tells which runs can go on by another version, and where others can't; has those go on that can, unless only that is asked for. 10: some can't. */
export async function migrateRuns(options: MigrateOptions, terminal: Terminal): Promise<ExitCode> {
  const { runId, workflow, isPreview } = options;
  if (runId === undefined && workflow === undefined)
    throw new CliFailure(exit.usage, "no run is meant", "sidestep run migrate", "give a run id, or --workflow");
  using client = openFrontClient(options.address);
  if (runId !== undefined && !isPreview) {
    await migrate(client, runId, options);
    terminal.err(`run ${runId} goes on by ${versionText(options.to)}\n`);
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
  const answer = await client.call(runs.previewMigration.bind(runs), asked, previewTimeoutMs);
  if (isPreview && options.output === "json") {
    const bytes = PreviewMigrationResponse.encode(answer).finish();
    terminal.out(`${bytesToJson(toRegistry(), "sidestep.v1.PreviewMigrationResponse", bytes)}\n`);
  } else terminal.out(`${groupsText(answer)}\n`);
  const able = answer.runs.filter(({ kind }) => kind === Kind.CAN);
  if (!isPreview) {
    let done = 0;
    for (const one of able) done += await moved(client, one, options, terminal);
    terminal.err(`${done} of ${answer.runs.length} runs go on by ${versionText(options.to)}\n`);
    return done === answer.runs.length && !answer.more ? exit.ok : exit.findings;
  }
  return able.length === answer.runs.length ? exit.ok : exit.findings;
}

async function moved(
  client: FrontClient,
  { runId }: MigrationOfRun,
  options: MigrateOptions,
  terminal: Terminal,
): Promise<number> {
  try {
    await migrate(client, runId, options);
    return 1;
  } catch (error) {
    // It has moved on since it was looked at.
    if (!(error instanceof CliFailure)) throw error;
    terminal.err(`run ${runId}: ${error.message}\n`);
    return 0;
  }
}

async function migrate(client: FrontClient, runId: string, { to, reason }: MigrateOptions): Promise<void> {
  await client.call(client.runs.migrate.bind(client.runs), { runId, toVersion: to, reason });
}

function versionText(to: number): string {
  return to === 0 ? "the active version" : `version ${to}`;
}

/** Runs that are alike together: version, what can be done, where. */
function groupsText({ runs, more }: PreviewMigrationResponse): string {
  const groups = Map.groupBy(runs, ({ version, kind, step, text }) => `${version} ${kind} ${step} ${text}`);
  const rows = [...groups.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const { version, step, text, runId } = first;
    return [[String(group.length), String(version), kindText(first), step, text, runId]];
  });
  const table = rows.length === 0 ? "no run" : tableText(["RUNS", "VERSION", "", "STEP", "WHY", "ONE OF THEM"], rows);
  return more ? `${table}and more, which were not looked into` : table.trimEnd();
}

function kindText({ kind }: MigrationOfRun): string {
  switch (kind) {
    case Kind.CAN:
      return "can";
    case Kind.BUSY:
      return "not now: a call is under way";
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
