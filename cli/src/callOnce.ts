import { CliFailure, exit } from "./failure.ts";
import { openFrontClient } from "./frontClient.ts";
import { bytesToJson, jsonToBytes } from "./messageJson.ts";
import { methodTypes } from "./methodRpc.ts";
import { readRequestText } from "./requestText.ts";
import type { Terminal } from "./terminal.ts";

export interface CallOptions {
  readonly address: string;
  readonly method: string;
  readonly request: string | undefined;
  /** Folder with the .proto files of the method; undefined: the orchestrator describes it. */
  readonly protoFolder: string | undefined;
  readonly idempotencyKey: string;
  /** Of one attempt; undefined: 30 s. */
  readonly timeoutMs: number | undefined;
  /** 0: 8. */
  readonly attempts: number;
  /** Print the run's id as soon as the call is durable. */
  readonly isDetached: boolean;
}

/** A call is tried for as long as it takes. */
const patienceMs = 7 * 86_400_000;

/** Makes one durable call, and prints the method's answer as JSON. */
export async function callOnce(options: CallOptions, terminal: Terminal): Promise<void> {
  using client = openFrontClient(options.address);
  const { method, idempotencyKey, timeoutMs, attempts: maxAttempts, isDetached: detach } = options;
  const json = await readRequestText(options.request, terminal);
  const types = await methodTypes(client, method, options.protoFolder);
  if (!types.isUnary)
    throw new CliFailure(
      exit.usage,
      `${method} streams, and a call alone has one message each way`,
      "the method",
      "a step of a workflow collects what a server streams: docs/workflows.md",
    );
  const request = Buffer.from(jsonToBytes(types.registry, types.requestType, json));
  const timeout =
    timeoutMs === undefined
      ? undefined
      : { seconds: BigInt(Math.floor(timeoutMs / 1000)), nanos: Math.floor(timeoutMs % 1000) * 1_000_000 };
  const asked = { method, request, idempotencyKey, timeout, maxAttempts, detach };
  const { runId, response } = await client.call(client.runs.call.bind(client.runs), asked, patienceMs);
  if (detach) return terminal.out(`${runId}\n`);
  terminal.err(`run ${runId}\n`);
  terminal.out(`${bytesToJson(types.registry, types.responseType, response)}\n`);
}
