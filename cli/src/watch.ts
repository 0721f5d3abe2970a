import type { ServiceError } from "@grpc/grpc-js";
import { setTimeout as delay } from "node:timers/promises";
import type { Run, StepStatus } from "../../proto/gen/sidestep/v1/run.ts";
import { WatchRunResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import { toRegistry } from "../../proto/json/registry.ts";
import { callMetadata } from "./doorCredentials.ts";
import { exit, toCliFailure } from "./failure.ts";
import { openFrontClient } from "./frontClient.ts";
import type { FrontClient } from "./frontClient.ts";
import { bytesToJson } from "./messageJson.ts";
import { openLiveTree } from "./liveTree.ts";
import { endFailure } from "./runEnd.ts";
import { openProgress } from "./progress.ts";
import { stateName } from "./runText.ts";
import type { Terminal } from "./terminal.ts";

export interface WatchOptions {
  readonly address: string;
  readonly runId: string;
  readonly output: "table" | "json";
}

const awayMaxMs = 60_000;
const againAfterMs = 500;

/**
 * Shows a run until it has ended: as a tree that is drawn anew on a terminal, else as a line for each change; with -o json as a message a line.
 * Fails as the run does.
 */
export async function watchRun(options: WatchOptions, terminal: Terminal): Promise<void> {
  using client = openFrontClient(options.address);
  const { runId } = options;
  const forget = terminal.atInterrupt(`\nThe run goes on without this command: sidestep run describe ${runId}\n`);
  const screen = options.output === "table" ? terminal.screen : undefined;
  const view =
    options.output === "json"
      ? jsonLines(terminal)
      : screen === undefined
        ? changeLines(terminal)
        : tree(terminal, screen);
  try {
    const run = await untilEnded(client, options, view.show);
    const failure = run === undefined ? undefined : endFailure(run);
    if (failure !== undefined) throw failure;
  } finally {
    view.stop();
    forget();
  }
}

interface View {
  readonly show: (told: WatchRunResponse) => void;
  readonly stop: () => void;
}

/** Goes on where it was when the orchestrator goes away and comes back. */
async function untilEnded(
  client: FrontClient,
  { address, runId }: WatchOptions,
  show: (told: WatchRunResponse) => void,
): Promise<Run | undefined> {
  let last: Run | undefined;
  let after = 0n;
  let answeredMs = Date.now();
  for (;;) {
    const error = await new Promise<ServiceError | undefined>((resolve) => {
      const stream = client.runs.watch({ runId, after, changes: true }, callMetadata());
      let isFirst = true;
      stream.on("data", (told: WatchRunResponse) => {
        answeredMs = Date.now();
        after = told.sequence;
        last = isFirst || last === undefined ? (told.run ?? last) : withChanges(last, told);
        isFirst = false;
        show({ ...told, run: last, gone: [] });
      });
      stream.on("error", resolve);
      stream.on("end", () => resolve(undefined));
    });
    if (error === undefined) return last;
    const failure = toCliFailure(error, address);
    if (failure.exitCode !== exit.unreachable || Date.now() - answeredMs > awayMaxMs) throw failure;
    await delay(againAfterMs);
  }
}

/** The run as it is now: steps that are not told again are as they were. */
function withChanges(before: Run, { run, gone }: WatchRunResponse): Run {
  if (run === undefined) return before;
  const forgotten = new Set(gone);
  const steps = new Map(before.steps.map((step) => [nameOf(step), step]));
  for (const step of run.steps) steps.set(nameOf(step), step);
  for (const name of forgotten) steps.delete(name);
  const all = [...steps.values()];
  const inOrder = [
    ...all.filter(({ compensation }) => !compensation),
    ...all.filter(({ compensation }) => compensation),
  ];
  return { ...run, request: before.request, steps: inOrder };
}

function nameOf({ path, compensation }: StepStatus): string {
  return `${compensation ? "undo " : ""}${path}`;
}

function jsonLines(terminal: Terminal): View {
  const registry = toRegistry();
  return {
    show: (told) => {
      const json = bytesToJson(registry, "sidestep.v1.WatchRunResponse", WatchRunResponse.encode(told).finish());
      terminal.out(`${JSON.stringify(JSON.parse(json))}\n`);
    },
    stop: () => undefined,
  };
}

function changeLines(terminal: Terminal): View {
  const progress = openProgress({
    ...terminal,
    err: terminal.out,
    colors: { ...terminal.colors, err: terminal.colors.out },
  });
  let told: string | undefined;
  return {
    show: ({ run }) => {
      if (run === undefined) return;
      progress.show(run);
      const state = `${stateName(run.state).toLowerCase()}${run.held ? ", held" : ""}`;
      if (state !== told) terminal.out(`${run.runId}  ${state}\n`);
      told = state;
    },
    stop: () => undefined,
  };
}

function tree(terminal: Terminal, screen: NonNullable<Terminal["screen"]>): View {
  const live = openLiveTree({ write: terminal.out, screen, isColored: terminal.colors.out });
  return {
    show: ({ run }) => {
      if (run !== undefined) live.show(run);
    },
    stop: () => live.stop(),
  };
}
