import { CountRunsResponse, ListIncidentsResponse, ListRunsResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import type { IncidentGroup, ListedRun } from "../../proto/gen/sidestep/v1/runs.ts";
import { Incident_Reason, run_StateToJSON } from "../../proto/gen/sidestep/v1/run.ts";
import type { Run_State } from "../../proto/gen/sidestep/v1/run.ts";
import { codeName } from "../../proto/wire/status.ts";
import { toRegistry } from "../../proto/json/registry.ts";
import type { FrontClient } from "./frontClient.ts";
import { openFrontClient } from "./frontClient.ts";
import { bytesToJson } from "./messageJson.ts";
import { tableText } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { durationText, timeText, toMs } from "./time.ts";

export interface ListOptions {
  readonly address: string;
  readonly output: "table" | "json";
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
  if (options.output === "json") {
    const bytes = ListRunsResponse.encode(found).finish();
    return terminal.out(`${bytesToJson(toRegistry(), "sidestep.v1.ListRunsResponse", bytes)}\n`);
  }
  tellLag(found.lag, terminal);
  if (found.runs.length === 0) return terminal.err(filter === "" ? "there are no runs yet\n" : "no run fits\n");
  terminal.out(tableText(["RUN", "WORKFLOW", "KEY", "STATE", "STARTED", "TOOK", ""], found.runs.map(toRow)));
  if (found.nextPageToken !== "") terminal.err(`these are the newest ${found.runs.length}; --limit shows more\n`);
}

async function pages(client: FrontClient, filter: string, limit: number): Promise<ListRunsResponse> {
  const runs: ListedRun[] = [];
  for (let pageToken = ""; ;) {
    const pageSize = Math.min(pageMax, limit - runs.length);
    const page = await client.call(client.runs.list.bind(client.runs), { filter, pageSize, pageToken });
    runs.push(...page.runs);
    pageToken = page.nextPageToken;
    if (pageToken === "" || runs.length >= limit) return { ...page, runs };
  }
}

/** Prints how many runs a filter finds, by workflow, version and state. */
export async function countRuns(options: Omit<ListOptions, "limit">, terminal: Terminal): Promise<void> {
  using client = openFrontClient(options.address);
  const answer = await client.call(client.runs.count.bind(client.runs), { filter: toFilter(options) });
  if (options.output === "json") {
    const bytes = CountRunsResponse.encode(answer).finish();
    return terminal.out(`${bytesToJson(toRegistry(), "sidestep.v1.CountRunsResponse", bytes)}\n`);
  }
  tellLag(answer.lag, terminal);
  const rows = answer.counts.map(({ workflow, version, state, runs }) => [
    workflow,
    String(version),
    stateName(state),
    String(runs),
  ]);
  const all = answer.counts.reduce((sum, { runs }) => sum + runs, 0n);
  terminal.out(tableText(["WORKFLOW", "VERSION", "STATE", "RUNS"], [...rows, ["", "", "", String(all)]]));
}

/** Prints open incidents by what they are about. */
export async function listIncidents(
  options: { readonly address: string; readonly output: "table" | "json"; readonly filter: string },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(options.address);
  const { filter } = options;
  const answer = await client.call(client.runs.listIncidents.bind(client.runs), { filter, pageSize: pageMax });
  if (options.output === "json") {
    const bytes = ListIncidentsResponse.encode(answer).finish();
    return terminal.out(`${bytesToJson(toRegistry(), "sidestep.v1.ListIncidentsResponse", bytes)}\n`);
  }
  tellLag(answer.lag, terminal);
  if (answer.groups.length === 0) return terminal.err("there are no open incidents\n");
  const heading = ["RUNS", "WORKFLOW", "STEP", "ERROR", "REASON", "SINCE", "ONE OF THEM"];
  terminal.out(tableText(heading, answer.groups.map(toGroupRow)));
}

function toGroupRow(group: IncidentGroup): readonly string[] {
  return [
    String(group.runs),
    group.workflow,
    group.compensation ? `undo ${group.step}` : group.step,
    codeName(group.code),
    reasonName(group.reason),
    timeText(group.oldest),
    `${group.runId}: ${oneLine(group.message)}`,
  ];
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

function toRow({ run, errorStep, approvalsWaiting }: ListedRun): readonly string[] {
  if (run === undefined) return [];
  const { startedAt, endedAt } = run;
  const took = startedAt === undefined || endedAt === undefined ? "" : durationText(toMs(endedAt) - toMs(startedAt));
  return [
    run.runId,
    run.workflow,
    run.key,
    stateName(run.state),
    timeText(startedAt),
    took,
    [
      run.held ? "held" : "",
      approvalsWaiting > 0 ? "waits for a decision" : "",
      run.status === undefined
        ? ""
        : `${errorStep === "" ? "" : `${errorStep}: `}${codeName(run.status.code)} ${oneLine(run.status.message)}`,
    ]
      .filter((part) => part !== "")
      .join("; "),
  ];
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
