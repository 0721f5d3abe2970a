import { writeFile } from "node:fs/promises";
import { ExplainRunResponse, GetRunResponse, RunHistoryResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import { historyEvent_KindToJSON } from "../../proto/gen/sidestep/v1/run.ts";
import type { HistoryEvent } from "../../proto/gen/sidestep/v1/run.ts";
import { toRegistry } from "../../proto/json/registry.ts";
import { codeName } from "../../proto/wire/status.ts";
import { CliFailure, exit } from "./failure.ts";
import { openFrontClient } from "./frontClient.ts";
import { bytesToJson } from "./messageJson.ts";
import { runText } from "./runText.ts";
import { tableText } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { timeText } from "./time.ts";
import { registryFor } from "./workflowRpc.ts";

export interface ShowOptions {
  readonly address: string;
  readonly runId: string;
  readonly output: "table" | "json";
}

/** Where Jaeger shows a trace. */
export function jaegerLink(jaegerUrl: string, traceId: string): string {
  return `${jaegerUrl.replace(/\/+$/, "")}/trace/${traceId}`;
}

/** Prints a run as it stands. */
export async function describeRun(
  options: ShowOptions & { readonly jaegerUrl: string | undefined },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(options.address);
  const answer = await client.call(client.runs.get.bind(client.runs), { runId: options.runId });
  if (answer.run === undefined)
    throw new CliFailure(exit.error, "the answer has no run", `the orchestrator at ${options.address}`, "try again");
  const registry = await registryFor(client, answer.run.workflow);
  if (options.output === "json") {
    terminal.out(`${bytesToJson(registry, "sidestep.v1.GetRunResponse", GetRunResponse.encode(answer).finish())}\n`);
    return;
  }
  const traceLink = options.jaegerUrl === undefined ? undefined : jaegerLink(options.jaegerUrl, answer.run.traceId);
  const explained =
    answer.run.endedAt === undefined
      ? await client.call(client.runs.explain.bind(client.runs), { runId: options.runId })
      : undefined;
  terminal.out(
    runText(answer.run, { registry, traceLink, waits: explained?.sentence ?? "", isColored: terminal.colors.out }),
  );
}

/** Prints all that a live run waits for, a line each. */
export async function explainRun(options: ShowOptions, terminal: Terminal): Promise<void> {
  using client = openFrontClient(options.address);
  const answer = await client.call(client.runs.explain.bind(client.runs), { runId: options.runId });
  if (options.output === "json") {
    const bytes = ExplainRunResponse.encode(answer).finish();
    terminal.out(`${bytesToJson(toRegistry(), "sidestep.v1.ExplainRunResponse", bytes)}\n`);
    return;
  }
  if (answer.waiting.length === 0) terminal.out(`${answer.sentence}\n`);
  for (const { sentence } of answer.waiting) terminal.out(`${sentence}\n`);
  if (answer.more > 0) terminal.out(`and ${answer.more} more\n`);
}

/** Prints all events of a run, oldest first. */
export async function showHistory(options: ShowOptions, terminal: Terminal): Promise<void> {
  using client = openFrontClient(options.address);
  const events: HistoryEvent[] = [];
  let pageToken = "";
  do {
    const page = await client.call(client.runs.history.bind(client.runs), {
      runId: options.runId,
      pageSize: 0,
      pageToken,
    });
    events.push(...page.events);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  if (options.output === "json") {
    const bytes = RunHistoryResponse.encode({ events, nextPageToken: "" }).finish();
    terminal.out(`${bytesToJson(toRegistry(), "sidestep.v1.RunHistoryResponse", bytes)}\n`);
    return;
  }
  const rows = events.map((event) => [
    String(event.sequence),
    timeText(event.time),
    historyEvent_KindToJSON(event.kind).toLowerCase().replaceAll("_", " "),
    event.compensation ? `undo ${event.step}` : event.step,
    event.attempt === 0 ? "" : String(event.attempt),
    remark(event),
  ]);
  terminal.out(tableText(["EVENT", "TIME", "WHAT", "STEP", "ATTEMPT", ""], rows));
}

function remark(event: HistoryEvent): string {
  const status =
    event.status === undefined || event.status.code === 0
      ? ""
      : `${codeName(event.status.code)}: ${event.status.message}`;
  return [status, event.text, event.ignored ? "ignored" : ""].filter((part) => part !== "").join("; ");
}

export interface TraceOptions {
  readonly address: string;
  readonly runId: string;
  readonly output: "table" | "otlp-json";
  /** File that takes the JSON; undefined: stdout. */
  readonly file: string | undefined;
}

/** Prints a run's spans as a tree, or as a file that trace viewers open. */
export async function showTrace(options: TraceOptions, terminal: Terminal): Promise<void> {
  using client = openFrontClient(options.address);
  const trace = await client.call(client.runs.trace.bind(client.runs), { runId: options.runId });
  if (options.output === "table") terminal.out(`trace ${trace.traceId}\n${trace.tree.join("\n")}\n`);
  else if (options.file === undefined) terminal.out(`${trace.otlpJson}\n`);
  else {
    await writeFile(options.file, trace.otlpJson);
    terminal.err(`wrote ${options.file}: open it in Jaeger with Search, Upload\n`);
  }
}
