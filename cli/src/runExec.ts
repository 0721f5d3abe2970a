import { setTimeout as delay } from "node:timers/promises";
import type { Run } from "../../proto/gen/sidestep/v1/run.ts";
import { StartRunResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import { toRegistry } from "../../proto/json/registry.ts";
import { CliFailure, exit } from "./failure.ts";
import { openFrontClient } from "./frontClient.ts";
import type { FrontClient } from "./frontClient.ts";
import { bytesToJson, jsonToBytes } from "./messageJson.ts";
import { openLiveTree } from "./liveTree.ts";
import { openProgress } from "./progress.ts";
import { readRequestText } from "./requestText.ts";
import { endFailure } from "./runEnd.ts";
import type { Terminal } from "./terminal.ts";
import { loadWorkflowRpc } from "./workflowRpc.ts";
import type { WorkflowRpc } from "./workflowRpc.ts";

/** A run to start. */
export interface StartOptions {
  readonly address: string;
  readonly workflow: string;
  /** JSON, @file or -; undefined: an empty message. */
  readonly request: string | undefined;
  readonly idempotencyKey: string | undefined;
}

export interface ExecOptions extends StartOptions {
  /** Undefined: as long as it takes. */
  readonly timeoutMs: number | undefined;
}

const firstLooksMs = 300;
const laterLooksMs = 1_000;
const waitRoundMs = 20_000;
/** How long an orchestrator that went away is waited for. */
const awayMaxMs = 30_000;

/** Starts a run and prints its id, or as JSON all that is known of it. */
export async function startAndPrint(
  options: StartOptions & { readonly output: "table" | "json" },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(options.address);
  const { runId, joined } = await startRun(client, options, terminal);
  if (options.output === "table") return terminal.out(`${runId}\n`);
  const bytes = StartRunResponse.encode({ runId, joined }).finish();
  return terminal.out(`${bytesToJson(toRegistry(), "sidestep.v1.StartRunResponse", bytes)}\n`);
}

/** Starts a run, or joins the one of the same key; throws CliFailure. */
async function startRun(
  client: FrontClient,
  options: StartOptions,
  terminal: Terminal,
): Promise<{ readonly runId: string; readonly joined: boolean; readonly types: WorkflowRpc }> {
  const json = await readRequestText(options.request, terminal);
  const types = await loadWorkflowRpc(client, options.workflow);
  const request = jsonToBytes(types.registry, types.requestType, json);
  const idempotencyKey = options.idempotencyKey ?? "";
  const start = client.runs.start.bind(client.runs);
  const { runId, joined } = await client.call(start, {
    workflow: options.workflow,
    request: Buffer.from(request),
    idempotencyKey,
  });
  return { runId, joined, types };
}

/** Starts a run and waits for its end: progress on stderr, the answer as JSON on stdout. */
export async function execRun(options: ExecOptions, terminal: Terminal): Promise<void> {
  using client = openFrontClient(options.address);
  const { runId, joined, types } = await startRun(client, options, terminal);
  terminal.err(`run ${runId} of ${options.workflow}${joined ? ", which was started before" : ""}\n`);
  const run = await follow(client, runId, options.timeoutMs, terminal);
  const failure = endFailure(run);
  if (failure !== undefined) throw failure;
  terminal.out(`${bytesToJson(types.registry, types.responseType, run.response)}\n`);
}

/** The run at its end; what happens until then is shown: as a live tree on a terminal, else as a line for each change. */
async function follow(
  client: FrontClient,
  runId: string,
  timeoutMs: number | undefined,
  terminal: Terminal,
): Promise<Run> {
  const { errScreen } = terminal;
  const live =
    errScreen === undefined
      ? undefined
      : openLiveTree({ write: terminal.err, screen: errScreen, isColored: terminal.colors.err });
  const progress = live ?? openProgress(terminal);
  const stop = new AbortController();
  const forget = terminal.atInterrupt(`\nThe run goes on without this command: sidestep run describe ${runId}\n`);
  const looking = look(client, runId, (run) => progress.show(run), stop.signal);
  try {
    await untilEnded(client, runId, timeoutMs);
  } finally {
    stop.abort();
    await looking;
    live?.stop();
    forget();
  }
  const get = client.runs.get.bind(client.runs);
  const { run } = await client.call(get, { runId });
  if (run === undefined)
    throw new CliFailure(exit.error, "the answer has no run", `the orchestrator at ${client.address}`, "try again");
  progress.show(run);
  return run;
}

async function look(client: FrontClient, runId: string, show: (run: Run) => void, signal: AbortSignal): Promise<void> {
  const get = client.runs.get.bind(client.runs);
  for (let looks = 0; !signal.aborted; looks++) {
    await delay(looks < 20 ? firstLooksMs : laterLooksMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    // Whoever waits for the end says when the orchestrator is away.
    const got = await client.call(get, { runId }).catch(() => undefined);
    if (got?.run !== undefined && !signal.aborted) show(got.run);
  }
}

/** Rounds of Wait, over an orchestrator that goes away and comes back. */
async function untilEnded(client: FrontClient, runId: string, timeoutMs: number | undefined): Promise<void> {
  const wait = client.runs.wait.bind(client.runs);
  const endMs = timeoutMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + timeoutMs;
  let answeredMs = Date.now();
  for (;;) {
    const leftMs = endMs - Date.now();
    if (leftMs <= 0) throw stillRuns(runId);
    const roundMs = Math.min(waitRoundMs, leftMs);
    const timeout = { seconds: BigInt(Math.floor(roundMs / 1000)), nanos: Math.floor(roundMs % 1000) * 1_000_000 };
    try {
      const { done } = await client.call(wait, { runId, timeout }, roundMs + 5_000);
      if (done) return;
      answeredMs = Date.now();
    } catch (error) {
      const isAway =
        error instanceof CliFailure && (error.exitCode === exit.unreachable || error.exitCode === exit.timedOut);
      if (!isAway || Date.now() - answeredMs > awayMaxMs) throw error;
      await delay(Math.min(500, Math.max(0, leftMs)));
    }
  }
}

function stillRuns(runId: string): CliFailure {
  const next = `\`sidestep run describe ${runId}\` shows it; the run goes on without this command`;
  return new CliFailure(exit.timedOut, "the time is over before the run is", `run ${runId}`, next);
}
