import { setTimeout as delay } from "node:timers/promises";
import {
  Bulk_State,
  BulkAction_Kind as Kind,
  GetBulkResponse,
  ListBulksResponse,
  bulkAction_KindToJSON,
  bulk_StateToJSON,
} from "../../proto/gen/sidestep/v1/runs.ts";
import type { Bulk, BulkAction } from "../../proto/gen/sidestep/v1/runs.ts";
import { run_StateToJSON } from "../../proto/gen/sidestep/v1/run.ts";
import { CliFailure, exit } from "./failure.ts";
import { openFrontClient } from "./frontClient.ts";
import type { FrontClient } from "./frontClient.ts";
import type { ListForm, ShownForm } from "./listForm.ts";
import { printList, printShown, timeColumn } from "./listing.ts";
import type { Steering } from "./runSteer.ts";
import { listText, tableText } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { durationText, timeText, toMs } from "./time.ts";

/** How long the start of a bulk may take: its runs are counted. */
const startTimeoutMs = 60_000;
const lookEveryMs = 500;

export interface BulkOptions {
  readonly address: string;
  readonly filter: string;
  readonly reason: string;
  /** Only show what would be done. */
  readonly isPreview: boolean;
  /** Runs a second; 0: as the orchestrator does it. */
  readonly rate: number;
}

const kinds: Readonly<Record<Steering, Kind>> = {
  cancel: Kind.CANCEL,
  terminate: Kind.TERMINATE,
  retry: Kind.RETRY,
  fail: Kind.FAIL,
  compensate: Kind.COMPENSATE,
  pause: Kind.PAUSE,
  resume: Kind.RESUME,
  delete: Kind.DELETE,
};

/** What an action has that brings nothing. */
export const nothing = {
  result: Buffer.of(),
  payload: Buffer.of(),
  name: "",
  toVersion: 0,
  dropSignals: false,
  by: "",
} as const;

/** Shows what an action on many runs would meet, or begins it and tells how far it is until it has ended; the action does not need the command. */
export async function steerMany(steering: Steering, options: BulkOptions, terminal: Terminal): Promise<void> {
  const action = { ...nothing, kind: kinds[steering], reason: options.reason };
  await actOnMany(steering, action, options, terminal);
}

/** The same of any action; answers what became of it. */
export async function actOnMany(
  name: string,
  action: BulkAction,
  options: BulkOptions,
  terminal: Terminal,
): Promise<Bulk | undefined> {
  using client = openFrontClient(options.address);
  const { filter, rate } = options;
  if (options.isPreview) {
    await preview(client, name, { filter, action }, terminal);
    return undefined;
  }
  const start = client.runs.startBulk.bind(client.runs);
  const { bulk } = await client.call(start, { filter, action, rate }, startTimeoutMs);
  if (bulk === undefined)
    throw new CliFailure(exit.error, "the answer has no action", `the orchestrator at ${options.address}`, "try again");
  terminal.out(`${bulk.bulkId}\n`);
  return await follow(client, bulk, terminal);
}

/** The newest run that an action on many fits; undefined: there is none. */
export async function findFirst(
  client: FrontClient,
  asked: { readonly filter: string; readonly action: BulkAction },
): Promise<string | undefined> {
  const { first } = await client.call(client.runs.previewBulk.bind(client.runs), asked, startTimeoutMs);
  return first[0]?.run?.runId;
}

async function preview(
  client: FrontClient,
  name: string,
  asked: { readonly filter: string; readonly action: BulkAction },
  terminal: Terminal,
): Promise<void> {
  const { found, runs, first } = await client.call(client.runs.previewBulk.bind(client.runs), asked, startTimeoutMs);
  const rows = first.flatMap(({ run }) =>
    run === undefined
      ? []
      : [[run.runId, run.workflow, run.key, run_StateToJSON(run.state).toLowerCase(), timeText(run.startedAt)]],
  );
  if (rows.length > 0) terminal.out(tableText(["RUN", "WORKFLOW", "KEY", "STATE", "STARTED"], rows));
  const others = found - runs;
  terminal.err(
    `${name} fits ${runs} of the ${found} runs that are found${runs > BigInt(rows.length) ? `; these are the newest ${rows.length}` : ""}${others > 0n ? `; the other ${others} are left alone` : ""}\n`,
  );
  if (runs > 0n) terminal.err("nothing was done; with --yes it is\n");
}

/** A line on stderr for each change, until it has ended. */
async function follow(client: FrontClient, begun: Bulk, terminal: Terminal): Promise<Bulk> {
  const { bulkId } = begun;
  const forget = terminal.atInterrupt(
    `\nIt goes on without this command: sidestep bulk describe ${bulkId}; to stop it: sidestep bulk stop ${bulkId}\n`,
  );
  try {
    let told = "";
    for (let bulk = begun; ;) {
      const line = progressText(bulk);
      if (line !== told) terminal.err(`${line}\n`);
      told = line;
      if (bulk.state !== Bulk_State.RUNNING) {
        tellRefusals(bulk, terminal);
        return bulk;
      }
      await delay(lookEveryMs);
      const got = await client.call(client.runs.getBulk.bind(client.runs), { bulkId }).catch((error: unknown) => {
        // The orchestrator may be on its way back.
        if (error instanceof CliFailure && error.exitCode === exit.unreachable) return undefined;
        throw error;
      });
      bulk = got?.bulk ?? bulk;
    }
  } finally {
    forget();
  }
}

function progressText({ state, runs, done, refused }: Bulk): string {
  const dealt = `${done} of ${runs} done${refused === 0n ? "" : `, ${refused} refused`}`;
  return state === Bulk_State.STOPPED ? `${dealt}; stopped` : dealt;
}

function tellRefusals({ refusals }: Bulk, terminal: Terminal): void {
  for (const { reason, runs, message } of refusals) terminal.err(`  ${runs} × ${reason}: ${message}\n`);
}

/** Prints the actions on many runs that are known, newest first. */
export async function listBulks(
  options: { readonly address: string; readonly output: ListForm },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(options.address);
  const answer = await client.call(client.runs.listBulks.bind(client.runs), {});
  printList(
    options.output,
    {
      type: "sidestep.v1.ListBulksResponse",
      bytes: ListBulksResponse.encode(answer).finish(),
      field: "bulks",
      items: answer.bulks,
      name: ({ bulkId }) => bulkId,
      empty: "there are no actions on many runs",
      columns: [
        { heading: "BULK", cell: ({ bulkId }) => bulkId },
        { heading: "ACTION", cell: actionName },
        { heading: "STATE", cell: stateName },
        { heading: "DONE", cell: ({ done, runs }) => `${done} of ${runs}` },
        { heading: "REFUSED", cell: ({ refused }) => String(refused) },
        ...timeColumn<Bulk>("STARTED", ({ startedAt }) => startedAt),
        ...timeColumn<Bulk>("ENDED", ({ endedAt }) => endedAt).filter(({ only }) => only === "wide"),
        { heading: "BY", cell: ({ actor }) => actor, only: "wide" },
        { heading: "FILTER", cell: ({ filter }) => filter },
      ],
    },
    terminal,
  );
}

/** Prints one of them. */
export async function describeBulk(
  options: { readonly address: string; readonly output: ShownForm; readonly bulkId: string },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(options.address);
  const answer = await client.call(client.runs.getBulk.bind(client.runs), { bulkId: options.bulkId });
  const bytes = GetBulkResponse.encode(answer).finish();
  const text = (): string => (answer.bulk === undefined ? "" : bulkText(answer.bulk));
  await printShown(options.output, { type: "sidestep.v1.GetBulkResponse", bytes }, text, terminal);
}

function bulkText(bulk: Bulk): string {
  const { startedAt, endedAt } = bulk;
  const took = startedAt === undefined || endedAt === undefined ? "" : durationText(toMs(endedAt) - toMs(startedAt));
  const head = listText([
    ["bulk", bulk.bulkId],
    ["action", actionName(bulk)],
    ["filter", bulk.filter],
    ["to", targetText(bulk)],
    ["decides as", bulk.action?.by ?? ""],
    ["reason", bulk.action?.reason ?? ""],
    ["by", bulk.actor],
    ["state", stateName(bulk)],
    ["done", `${bulk.done} of ${bulk.runs}`],
    ["refused", String(bulk.refused)],
    ["rate", `${bulk.rate} runs a second`],
    ["started", timeText(startedAt)],
    ["took", took],
  ]);
  const rows = bulk.refusals.map(({ reason, runs, runId, message }) => [String(runs), reason, runId, message]);
  return rows.length === 0 ? head : `${head}\n${tableText(["RUNS", "REFUSED FOR", "ONE OF THEM", ""], rows)}`;
}

/** The version to go on by; empty: it is no migration. */
function targetText({ action, toVersions }: Bulk): string {
  if (action?.kind !== Kind.MIGRATE) return "";
  if (action.toVersion > 0) return `version ${action.toVersion}`;
  const each = Object.entries(toVersions).map(([workflow, version]) => `version ${version} of ${workflow}`);
  return each.length === 0 ? "the active version" : each.join(", ");
}

/** Ends one of them. */
export async function stopBulk(
  options: { readonly address: string; readonly bulkId: string; readonly reason: string },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(options.address);
  const { bulkId, reason } = options;
  const { bulk } = await client.call(client.runs.stopBulk.bind(client.runs), { bulkId, reason });
  if (bulk !== undefined) terminal.err(`${progressText(bulk)}\n`);
}

function actionName({ action }: Bulk): string {
  return action === undefined ? "" : bulkAction_KindToJSON(action.kind).toLowerCase();
}

function stateName({ state }: Bulk): string {
  return bulk_StateToJSON(state).toLowerCase();
}
