import { CountRunsResponse, ListIncidentsResponse, ListRunsResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import type { IncidentGroup, ListedRun } from "../../proto/gen/sidestep/v1/runs.ts";
import { Incident_Reason, run_StateToJSON } from "../../proto/gen/sidestep/v1/run.ts";
import type { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import { codeName } from "../../proto/wire/status.ts";
import type { FrontClient } from "./frontClient.ts";
import { openFrontClient } from "./frontClient.ts";
import type { ListForm, ShownForm } from "./listForm.ts";
import { printList, printShown, timeColumn } from "./listing.ts";
import type { Column } from "./listing.ts";
import { tableText } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { durationText, toMs } from "./time.ts";

export interface ListOptions {
  readonly address: string;
  readonly output: ListForm;
  readonly filter: string;
  readonly state: readonly string[];
  readonly workflow: string | undefined;
  /** The newest so many. */
  readonly limit: number;
}

const pageMax = 1_000;
/** More than a moment behind is worth a word. */
const lagToldMs = 3_000;

/** Prints the newest runs that a filter finds. */
export async function listRuns(options: ListOptions, terminal: Terminal): Promise<void> {
  using client = openFrontClient(options.address);
  const filter = toFilter(options);
  const found = await pages(client, filter, options.limit);
  tellLag(found.lag, terminal);
  printList(
    options.output,
    {
      type: "sidestep.v1.ListRunsResponse",
      bytes: ListRunsResponse.encode(found).finish(),
      field: "runs",
      items: found.runs,
      name: ({ run }) => run?.runId ?? "",
      empty: filter === "" ? "there are no runs yet" : "no run fits",
      columns: runColumns,
    },
    terminal,
  );
  if (found.nextPageToken !== "") terminal.err(`these are the newest ${found.runs.length}; --limit shows more\n`);
}

async function pages(client: FrontClient, filter: string, limit: number): Promise<ListRunsResponse> {
  const runs: ListedRun[] = [];
  for (let pageToken = ""; ;) {
    const pageSize = Math.min(pageMax, limit - runs.length);
    const page = await client.call(client.runs.list.bind(client.runs), { filter, pageSize, pageToken, skip: 0 });
    runs.push(...page.runs);
    pageToken = page.nextPageToken;
    if (pageToken === "" || runs.length >= limit) return { ...page, runs };
  }
}

/** Prints how many runs a filter finds, by workflow, version and state. */
export async function countRuns(
  options: Omit<ListOptions, "limit" | "output"> & { readonly output: ShownForm },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(options.address);
  const answer = await client.call(client.runs.count.bind(client.runs), { filter: toFilter(options) });
  tellLag(answer.lag, terminal);
  const bytes = CountRunsResponse.encode(answer).finish();
  await printShown(
    options.output,
    { type: "sidestep.v1.CountRunsResponse", bytes },
    () => countsText(answer),
    terminal,
  );
}

function countsText({ counts }: CountRunsResponse): string {
  const rows = counts.map(({ workflow, version, state, runs }) => [
    workflow,
    String(version),
    stateName(state),
    String(runs),
  ]);
  const all = counts.reduce((sum, { runs }) => sum + runs, 0n);
  return tableText(["WORKFLOW", "VERSION", "STATE", "RUNS"], [...rows, ["", "", "", String(all)]]);
}

/** Prints open incidents by what they are about. */
export async function listIncidents(
  options: { readonly address: string; readonly output: ListForm; readonly filter: string },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(options.address);
  const { filter } = options;
  const answer = await client.call(client.runs.listIncidents.bind(client.runs), { filter, pageSize: pageMax });
  tellLag(answer.lag, terminal);
  printList(
    options.output,
    {
      type: "sidestep.v1.ListIncidentsResponse",
      bytes: ListIncidentsResponse.encode(answer).finish(),
      field: "groups",
      items: answer.groups,
      name: ({ runId }) => runId,
      empty: "there are no open incidents",
      columns: [
        { heading: "RUNS", cell: ({ runs }) => String(runs) },
        { heading: "WORKFLOW", cell: ({ workflow }) => workflow },
        { heading: "STEP", cell: ({ compensation, step }) => (compensation ? `undo ${step}` : step) },
        { heading: "ERROR", cell: ({ code }) => codeName(code) },
        { heading: "REASON", cell: ({ reason }) => reasonName(reason) },
        ...timeColumn<IncidentGroup>("SINCE", ({ oldest }) => oldest),
        { heading: "ONE OF THEM", cell: ({ runId, message }) => `${runId}: ${oneLine(message)}` },
      ],
    },
    terminal,
  );
}

function reasonName(reason: Incident_Reason): string {
  switch (reason) {
    case Incident_Reason.EXHAUSTED:
      return "attempts exhausted";
    case Incident_Reason.IN_DOUBT:
      return "in doubt";
    case Incident_Reason.COMMAND_REJECTED:
      return "task rejected";
    case Incident_Reason.REASON_UNSPECIFIED:
    case Incident_Reason.UNRECOGNIZED:
      return "";
  }
}

const runColumns: readonly Column<ListedRun>[] = [
  { heading: "RUN", cell: ({ run }) => run?.runId ?? "" },
  { heading: "WORKFLOW", cell: ({ run }) => run?.workflow ?? "" },
  { heading: "VERSION", cell: ({ run }) => String(run?.version ?? ""), only: "wide" },
  { heading: "KEY", cell: ({ run }) => run?.key ?? "" },
  { heading: "STATE", cell: ({ run }) => (run === undefined ? "" : stateName(run.state)) },
  ...timeColumn<ListedRun>("STARTED", ({ run }) => run?.startedAt),
  { heading: "TOOK", cell: tookText },
  {
    heading: "ATTRIBUTES",
    cell: ({ run }) =>
      Object.entries(run?.attributes ?? {})
        .map(([name, value]) => `${name}=${oneLine(value)}`)
        .join(" "),
    only: "wide",
  },
  { heading: "TRACE", cell: ({ run }) => run?.traceId ?? "", only: "wide" },
  { heading: "", cell: remark },
];

function tookText({ run }: ListedRun): string {
  const { startedAt, endedAt } = run ?? {};
  return startedAt === undefined || endedAt === undefined ? "" : durationText(toMs(endedAt) - toMs(startedAt));
}

/** What is worth a word about a run: what holds it up, or how it failed. */
function remark({ run, errorStep, approvalsWaiting }: ListedRun): string {
  const status =
    run?.status === undefined
      ? ""
      : `${errorStep === "" ? "" : `${errorStep}: `}${codeName(run.status.code)} ${oneLine(run.status.message)}`;
  return [run?.held === true ? "held" : "", approvalsWaiting > 0 ? "waits for a decision" : "", status]
    .filter((part) => part !== "")
    .join("; ");
}

function oneLine(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\s]+/gu, " ").trim();
  return line.length <= 80 ? line : `${line.slice(0, 79)}…`;
}

function stateName(state: Run_State): string {
  return run_StateToJSON(state).toLowerCase().replaceAll("_", " ");
}

/** The flags as parts of one filter. */
export function toFilter({ filter, state, workflow }: Pick<ListOptions, "filter" | "state" | "workflow">): string {
  const parts = [
    ...(workflow === undefined ? [] : [`workflow == ${JSON.stringify(workflow)}`]),
    ...(state.length === 0
      ? []
      : [`state in [${state.map((one) => JSON.stringify(one.replaceAll(" ", "_"))).join(", ")}]`]),
    ...(filter === "" ? [] : [filter]),
  ];
  return parts.length === 1 ? (parts[0] ?? "") : parts.map((part) => `(${part})`).join(" && ");
}

function tellLag(lag: ListRunsResponse["lag"], terminal: Terminal): void {
  const ms = lag === undefined ? 0 : Number(lag.seconds) * 1000 + lag.nanos / 1e6;
  if (ms > lagToldMs) terminal.err(`the index is ${durationText(ms)} behind: newer runs and news are missing\n`);
}
