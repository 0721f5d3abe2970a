import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { Event } from "../../proto/gen/sidestep/internal/v1/event.ts";
import type { RunStarted } from "../../proto/gen/sidestep/internal/v1/event.ts";
import { toNames } from "../../proto/wire/subjects.ts";
import { runHere } from "../../cli/src/testing.ts";
import type { CommandEnd } from "../../cli/src/testing.ts";
import type { Nats as Connected } from "../../runtime/src/natsConnection.ts";
import { isVoidStart } from "../../orchestrator/src/engine/limits.ts";
import { connectTo } from "./connectTo.ts";
import { freePort } from "./freePort.ts";
import { startNats } from "./nats.ts";
import type { Nats } from "./nats.ts";
import { orchestratorReady } from "./orderStack.ts";
import { repositoryRoot, startNode } from "./program.ts";
import type { Program } from "./program.ts";

/** Orchestrators over one partition, and a contract whose workflows call nobody and are started by messages. */
export interface TriggerStack extends AsyncDisposable {
  readonly nats: Nats;
  /** Of who sends messages. */
  readonly client: Connected;
  /** Starts an orchestrator; its address. `env`: of how it comes to NATS. */
  readonly start: (options?: {
    readonly args?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
    /** Flags of Node itself. */
    readonly nodeArgs?: readonly string[];
  }) => Promise<{ readonly program: Program; readonly address: string }>;
  /** Deploys the contract with this text of flows/v1/flows.proto. */
  readonly deploy: (address: string, flows: string) => Promise<void>;
  readonly sidestep: (address: string, ...args: readonly string[]) => Promise<CommandEnd>;
  /** The starts in the log, but for those that are void. */
  readonly starts: () => Promise<readonly RunStarted[]>;
}

const names = toNames();

/** Starts nats-server, and nothing else. */
export async function startTriggerStack(
  options: { readonly configuration?: string; readonly clientUrl?: (nats: Nats) => string } = {},
): Promise<TriggerStack> {
  await using started = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-triggers-"));
  started.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  await mkdir(path.join(folder, "sidestep/v1"), { recursive: true });
  await mkdir(path.join(folder, "flows/v1"), { recursive: true });
  const schema = "sidestep/v1/workflow.proto";
  await cp(path.join(repositoryRoot, "proto", schema), path.join(folder, schema));
  await writeFile(path.join(folder, "buf.yaml"), "version: v2\n");
  const { configuration } = options;
  const nats = started.use(await startNats(configuration === undefined ? {} : { configuration }));
  const client = started.use(await connectTo(options.clientUrl?.(nats) ?? nats.url));
  const sidestep = (address: string, ...args: readonly string[]) => runHere([...args, "--address", address]);
  const owned = started.move();
  return {
    nats,
    client,
    start: async ({ args = [], env = {}, nodeArgs = [] } = {}) => {
      const address = `127.0.0.1:${await freePort()}`;
      const program = await startNode("orchestrator/src/main.ts", {
        name: "orchestrator",
        nodeArgs,
        args: [
          "--listen",
          address,
          "--admin-port",
          "0",
          ...(args.includes("--partitions") ? [] : ["--partitions", "1"]),
          ...args,
        ],
        env: { NATS_URL: nats.url, NODE_OPTIONS: undefined, ...env },
        readyLine: orchestratorReady,
      });
      owned.use(program);
      return { program, address };
    },
    deploy: async (address, flows) => {
      await writeFile(path.join(folder, "flows/v1/flows.proto"), flows);
      const { code, stdout, stderr } = await sidestep(address, "deploy", folder);
      assert(code === 0, stdout + stderr);
    },
    sidestep,
    starts: () => startsIn(client),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function startsIn({ connection }: Connected): Promise<readonly RunStarted[]> {
  const manager = await jetstreamManager(connection);
  const stream = names.logStream(0);
  const starts: RunStarted[] = [];
  const { state } = await manager.streams.info(stream);
  for (let seq = 1; seq <= state.last_seq;) {
    const batch = await manager.direct.getBatch(stream, { seq, batch: 500 });
    for await (const message of batch) {
      seq = message.seq + 1;
      if (!message.subject.endsWith(".e")) continue;
      const event = Event.decode(message.data).kind;
      if (event?.$case === "runStarted" && !isVoidStart(event.value, message.time.getTime())) starts.push(event.value);
    }
  }
  return starts;
}
