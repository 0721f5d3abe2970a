import type { ServiceError } from "@grpc/grpc-js";
import type { Run } from "../../proto/gen/sidestep/v1/run.ts";
import type { FollowRunResponse } from "../../proto/gen/sidestep/v1/runs.ts";
import { callMetadata } from "./doorCredentials.ts";
import { CliFailure, exit, toCliFailure } from "./failure.ts";
import { openFrontClient } from "./frontClient.ts";
import type { FrontClient } from "./frontClient.ts";
import { bytesToJson, bytesToLine, jsonToBytes } from "./messageJson.ts";
import { methodTypes } from "./methodRpc.ts";
import { readRequestText } from "./requestText.ts";
import type { Terminal } from "./terminal.ts";
import { registryFor } from "./workflowRpc.ts";

export interface SignalOptions {
  readonly address: string;
  readonly runId: string;
  readonly name: string;
  readonly request: string | undefined;
  /** The same id again is dropped; empty: a signal of its own. */
  readonly id: string;
}

/** Gives a signal to a run. */
export async function signalRun(options: SignalOptions, terminal: Terminal): Promise<void> {
  using client = openFrontClient(options.address);
  const { runId, name, id: signalId } = options;
  const json = await readRequestText(options.request, terminal);
  const { workflow, signals } = await getRun(client, runId);
  const registry = await registryFor(client, workflow);
  const type = signals.find((one) => one.name === name)?.type;
  if (type === undefined) {
    const what = `${workflow} takes no signal '${name}'`;
    const taken = signals.map((one) => `${one.name} (${one.type})`).join(", ");
    throw new CliFailure(exit.usage, what, `run ${runId}`, taken === "" ? "it takes none" : `it takes ${taken}`);
  }
  const payload = Buffer.from(jsonToBytes(registry, type, json));
  const { runs } = client;
  await client.call(runs.signal.bind(runs), { runId, workflow: "", key: "", name, payload, signalId });
  terminal.err(`run ${runId} has the signal ${name}\n`);
}

/** Asks a query rpc, and prints its answer as JSON. */
export async function queryRun(
  options: { readonly address: string; readonly method: string; readonly request: string | undefined },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(options.address);
  const json = await readRequestText(options.request, terminal);
  const types = await methodTypes(client, options.method, undefined);
  const request = Buffer.from(jsonToBytes(types.registry, types.requestType, json));
  const same = (bytes: Buffer): Buffer => bytes;
  const { runs } = client;
  const answer = await client.call<Buffer, Buffer>(
    (bytes, metadata, callOptions, told) =>
      runs.makeUnaryRequest(`/${options.method}`, same, same, bytes, metadata, callOptions, (error, response) =>
        told(error, response ?? Buffer.alloc(0)),
      ),
    request,
  );
  terminal.out(`${bytesToJson(types.registry, types.responseType, answer)}\n`);
}

/** Prints what a streaming run yields, one JSON line a message, until it has ended; goes on over an orchestrator that went away. */
export async function followRun(
  options: { readonly address: string; readonly runId: string; readonly from: number },
  terminal: Terminal,
): Promise<void> {
  using client = openFrontClient(options.address);
  const { workflow } = await getRun(client, options.runId);
  const { registry, responseType } = await methodTypes(client, workflow, undefined);
  let next = options.from;
  const show = ({ number, message }: FollowRunResponse): void => {
    terminal.out(`${bytesToLine(registry, responseType, message)}\n`);
    next = Number(number) + 1;
  };
  for (let tries = 0; ; tries++) {
    const before = next;
    const failure = await stream(client, options.runId, next, show);
    if (failure === undefined) return;
    if (next > before) tries = 0;
    if (failure.exitCode !== exit.unreachable || tries >= triesMax) throw failure;
    await new Promise((resolve) => setTimeout(resolve, againMs));
  }
}

const triesMax = 30;
const againMs = 1_000;

function stream(
  { runs, address }: FrontClient,
  runId: string,
  from: number,
  show: (message: FollowRunResponse) => void,
): Promise<CliFailure | undefined> {
  return new Promise((resolve) => {
    const call = runs.follow({ runId, from: BigInt(from) }, callMetadata());
    call.on("data", show);
    call.on("end", () => resolve(undefined));
    call.on("error", (error: ServiceError) => resolve(toCliFailure(error, address)));
  });
}

async function getRun(client: FrontClient, runId: string): Promise<Run> {
  const { run } = await client.call(client.runs.get.bind(client.runs), { runId });
  if (run !== undefined) return run;
  throw new CliFailure(exit.error, "the answer has no run", `the orchestrator at ${client.address}`, "try again");
}
