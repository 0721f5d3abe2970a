import { Client, credentials, Metadata } from "@grpc/grpc-js";
import type { ServiceError } from "@grpc/grpc-js";
import { cp, mkdtemp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { freePort } from "./freePort.ts";
import { startNats } from "./nats.ts";
import type { Nats } from "./nats.ts";
import { orchestratorReady, sidecarReady } from "./orderStack.ts";
import { repositoryRoot, runProgram, startNode } from "./program.ts";
import type { Program } from "./program.ts";

/** An echo service with its sidecar, and an orchestrator that serves a contract over it: each a process of its own. */
export interface EchoStack extends AsyncDisposable {
  readonly nats: Nats;
  /** The service; it writes a line for each call that begins, ends or is cancelled. */
  readonly echo: Program;
  readonly orchestrator: () => Program;
  /** The orchestrator and the sidecar. */
  readonly programs: () => readonly Program[];
  /** SIGKILL, and started again in its place. */
  readonly crashOrchestrator: () => Promise<void>;
  readonly address: string;
  /** Calls an rpc of the front door; bytes there and back. */
  readonly call: (rpc: string, request: Uint8Array, headers?: Readonly<Record<string, string>>) => Promise<CallEnd>;
}

export type CallEnd =
  | { readonly kind: "answer"; readonly bytes: Uint8Array; readonly runId: string }
  | { readonly kind: "error"; readonly error: ServiceError; readonly runId: string };

const echoProto = path.join(repositoryRoot, "sidecar/testdata/echo/proto");
const schema = path.join(repositoryRoot, "proto/sidestep/v1/workflow.proto");
const callTimeoutMs = 60_000;

/**
 * Starts it; `contract` is the text of flows/v1/flows.proto, and `echo` changes that of echo/v1/echo.proto, as the workflows see it: the service
 * Raw answers with the bytes it gets, whatever their type.
 */
export async function startEchoStack(
  contract: string,
  {
    orchestratorArgs = [],
    sidecarArgs = [],
    env: more = {},
    sidecarEnv = {},
    natsConfiguration = () => Promise.resolve(""),
    echo: change,
  }: {
    readonly sidecarEnv?: Readonly<Record<string, string>>;
    /** Added to the server's configuration; told the folder of the contracts. */
    readonly natsConfiguration?: (folder: string) => Promise<string>;
    readonly orchestratorArgs?: readonly string[];
    readonly sidecarArgs?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
    readonly echo?: (text: string) => string;
  } = {},
): Promise<EchoStack> {
  await using started = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-echo-"));
  started.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  await writeContract(folder, contract, change ?? ((text) => text));
  const nats = started.use(await startNats({ configuration: await natsConfiguration(folder) }));
  const env = { NATS_URL: nats.url, NODE_OPTIONS: undefined, ...more };
  const address = `127.0.0.1:${await freePort()}`;
  const startOrchestrator = (): Promise<Program> =>
    startNode("orchestrator/src/main.ts", {
      name: "orchestrator",
      args: ["--listen", address, "--admin-port", "0", ...orchestratorArgs],
      env,
      readyLine: orchestratorReady,
    });
  let orchestrator = await startOrchestrator();
  started.defer(async () => void (await orchestrator.kill9()));
  const echo = await startNode("sidecar/testdata/echo/server.mjs", {
    name: "echo",
    // A service that tells of itself what the workflows see otherwise would be held back as one that has drifted.
    args: ["--reflection", change === undefined ? "v1" : "none"],
    readyLine: /^listening/,
  });
  started.defer(async () => void (await echo.kill9()));
  const port = /^listening (\d+)/.exec(echo.lines.find((line) => line.startsWith("listening")) ?? "")?.[1];
  await deploy(folder, address);
  const exposed = change === undefined ? [] : ["--expose", "echo.v1.Echo,echo.v1.Raw"];
  const sidecar = await startNode("sidecar/src/main.ts", {
    name: "sidecar",
    args: ["--service", `localhost:${port}`, "--admin-port", "0", ...exposed, ...sidecarArgs],
    env: { ...env, ...sidecarEnv },
    readyLine: sidecarReady,
  });
  started.defer(async () => void (await sidecar.kill9()));
  const client = new Client(address, credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
  });
  started.defer(() => client.close());
  const owned = started.move();
  return {
    nats,
    address,
    echo,
    orchestrator: () => orchestrator,
    programs: () => [orchestrator, sidecar],
    crashOrchestrator: async () => {
      await orchestrator.kill9();
      orchestrator = await startOrchestrator();
    },
    call: (rpc, request, headers = {}) => send(client, rpc, request, headers),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function writeContract(folder: string, contract: string, change: (text: string) => string): Promise<void> {
  await cp(path.join(echoProto, "echo"), path.join(folder, "echo"), { recursive: true });
  const echo = path.join(folder, "echo/v1/echo.proto");
  await writeFile(echo, change(await readFile(echo, "utf8")));
  await mkdir(path.join(folder, "sidestep/v1"), { recursive: true });
  await cp(schema, path.join(folder, "sidestep/v1/workflow.proto"));
  await mkdir(path.join(folder, "flows/v1"), { recursive: true });
  await writeFile(path.join(folder, "flows/v1/flows.proto"), contract);
  await writeFile(path.join(folder, "buf.yaml"), "version: v2\n");
}

async function deploy(folder: string, address: string): Promise<void> {
  const deployed = await runProgram({
    name: "sidestep deploy",
    command: process.execPath,
    args: [path.join(repositoryRoot, "bin/sidestep.js"), "deploy", folder, "--address", address],
  });
  if (deployed.code !== 0) throw new Error(`deploy failed:\n${deployed.lines.join("\n")}`);
}

function send(
  client: Client,
  rpc: string,
  request: Uint8Array,
  headers: Readonly<Record<string, string>>,
): Promise<CallEnd> {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const same = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve) => {
    let runId = "";
    const call = client.makeUnaryRequest(
      `/${rpc}`,
      same,
      same,
      Buffer.from(request),
      metadata,
      { deadline: Date.now() + callTimeoutMs },
      (error, bytes) =>
        resolve(
          error === null
            ? { kind: "answer", bytes: bytes ?? new Uint8Array(), runId }
            : { kind: "error", error, runId },
        ),
    );
    call.on("metadata", (got) => (runId = String(got.get("sidestep-run-id")[0] ?? "")));
  });
}
