import { writeFile } from "node:fs/promises";
import { ExplainRunResponse, GetRunResponse, RunHistoryResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import { historyEvent_KindToJSON } from "../../proto/gen/sidestep/v1/run.ts";
import type { HistoryEvent } from "../../proto/gen/sidestep/v1/run.ts";
import { codeName } from "../../proto/wire/status.ts";
import { CliFailure, exit } from "./failure.ts";
import { openFrontClient } from "./frontClient.ts";
import type { ListForm, ShownForm } from "./listForm.ts";
import { printList, printShown } from "./listing.ts";
import { runText } from "./runText.ts";
import type { Terminal } from "./terminal.ts";
import { timeText } from "./time.ts";
import { registryFor } from "./workflowRpc.ts";

export interface ShowOptions {
  readonly address: string;
  readonly runId: string;
  readonly output: ShownForm;
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
  const { run } = answer;
  const bytes = GetRunResponse.encode(answer).finish();
  const text = async (): Promise<string> => {
    const { jaegerUrl, runId } = options;
    const traceLink = jaegerUrl === undefined ? undefined : jaegerLink(jaegerUrl, run.traceId);
    const waits =
      run.endedAt === undefined ? await client.call(client.runs.explain.bind(client.runs), { runId }) : undefined;
    const traceAt = answer.traceUrl.startsWith("/") ? options.address + answer.traceUrl : answer.traceUrl;
    return runText(run, { registry, traceLink, traceAt, waits: waits?.sentence ?? "", isColored: terminal.colors.out });
  };
  await printShown(options.output, { registry, type: "sidestep.v1.GetRunResponse", bytes }, text, terminal);
}

/** Prints all that a live run waits for, a line each. */
export async function explainRun(options: ShowOptions, terminal: Terminal): Promise<void> {
  using client = openFrontClient(options.address);
  const answer = await client.call(client.runs.explain.bind(client.runs), { runId: options.runId });
  const bytes = ExplainRunResponse.encode(answer).finish();
  const text = (): string => {
    const lines = answer.waiting.length === 0 ? [answer.sentence] : answer.waiting.map(({ sentence }) => sentence);
    return [...lines, ...(answer.more > 0 ? [`and ${answer.more} more`] : [])].map((line) => `${line}\n`).join("");
  };
  await printShown(options.output, { type: "sidestep.v1.ExplainRunResponse", bytes }, text, terminal);
}

/** Prints all events of a run, oldest first. */
export async function showHistory(
  options: Pick<ShowOptions, "address" | "runId"> & { readonly output: ListForm },
  terminal: Terminal,
): Promise<void> {
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
  printList(
    options.output,
    {
      type: "sidestep.v1.RunHistoryResponse",
      bytes: RunHistoryResponse.encode({ events, nextPageToken: "" }).finish(),
      field: "events",
      items: events,
      name: ({ sequence }) => String(sequence),
      empty: "the run has no events",
      columns: [
        { heading: "EVENT", cell: ({ sequence }) => String(sequence) },
        { heading: "TIME", cell: ({ time }) => timeText(time) },
        { heading: "WHAT", cell: ({ kind }) => historyEvent_KindToJSON(kind).toLowerCase().replaceAll("_", " ") },
        { heading: "STEP", cell: ({ compensation, step }) => (compensation ? `undo ${step}` : step) },
        { heading: "ATTEMPT", cell: ({ attempt }) => (attempt === 0 ? "" : String(attempt)) },
        { heading: "", cell: remark },
      ],
    },
    terminal,
  );
}

function remark(event: HistoryEvent): string {
  const status =
    event.status === undefined || event.status.code === 0
      ? ""
      : `${codeName(event.status.code)}: ${event.status.message}`;
  const by = event.actor === "" ? "" : `by ${event.actor}`;
  return [status, event.text, by, event.ignored ? "ignored" : ""].filter((part) => part !== "").join("; ");
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
