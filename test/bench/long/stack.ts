import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { jetstreamManager } from "@nats-io/jetstream";
import path from "node:path";
import { connectTo } from "../../support/connectTo.ts";
import { freePort } from "../../support/freePort.ts";
import { startNats } from "../../support/nats.ts";
import type { Nats } from "../../support/nats.ts";
import { repositoryRoot, runProgram, startProgram } from "../../support/program.ts";
import type { Program } from "../../support/program.ts";
import { toNames } from "../../../proto/wire/subjects.ts";
import { openCounter } from "./counter.ts";
import type { Counter } from "./counter.ts";

/** What anybody runs, each a process of its own: nats-server, orchestrators, a sidecar; and the service that they call, in this process. */
export interface LongStack extends AsyncDisposable {
  readonly nats: Nats;
  readonly counter: Counter;
  /** The first owns all partitions as long as it lives. */
  readonly orchestrators: readonly Front[];
  readonly sidecar: Program;
}

/** An orchestrator and its front door. */
export interface Front {
  readonly program: Program;
  readonly address: string;
  /** Calls an rpc and waits for its answer for as long as it takes; bytes there and back. */
  call(rpc: string, request: Uint8Array, idempotencyKey?: string): Promise<Uint8Array>;
}

const orchestratorReady = /"msg":"ready"/;
const contract = path.join(repositoryRoot, "test/bench/contract");
const same = (bytes: Buffer): Buffer => bytes;

/** Starts it with the contract of the benchmark deployed. `profiles`: a folder for the CPU profiles of our programs. */
export async function startLongStack(
  orchestrators: number,
  profiles?: string,
  orchestratorArgs: readonly string[] = [],
): Promise<LongStack> {
  await using started = new AsyncDisposableStack();
  const nats = started.use(await startNats());
  const counter = started.use(await openCounter());
  const start = (file: string, args: readonly string[], readyLine: RegExp): Promise<Program> =>
    startProgram({
      name: path.dirname(path.dirname(file)),
      command: process.execPath,
      args: [...(profiles === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profiles}`]), file, ...args],
      env: { NATS_URL: nats.url },
      readyLine,
    });
  const fronts: Front[] = [];
  for (let i = 0; i < orchestrators; i++) fronts.push(await startFront(started, start, orchestratorArgs, i === 0));
  const sidecar = await start(
    "sidecar/src/main.ts",
    ["--service", `127.0.0.1:${counter.port}`, "--expose", "bench.v1.Counter", "--admin-port", "0"],
    /sidecar ready/,
  );
  started.defer(async () => void (await sidecar.stop()));
  const owned = started.move();
  return { nats, counter, orchestrators: fronts, sidecar, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function startFront(
  started: AsyncDisposableStack,
  start: (file: string, args: readonly string[], readyLine: RegExp) => Promise<Program>,
  args: readonly string[],
  deploys: boolean,
): Promise<Front> {
  const address = `127.0.0.1:${await freePort()}`;
  const program = await start(
    "orchestrator/src/main.ts",
    ["--listen", address, "--admin-port", "0", ...args],
    orchestratorReady,
  );
  started.defer(async () => void (await program.stop()));
  if (deploys) await deploy(address);
  const client = new Client(address, credentials.createInsecure());
  started.defer(() => client.close());
  return {
    program,
    address,
    call: (rpc, request, idempotencyKey) => {
      const metadata = new Metadata();
      if (idempotencyKey !== undefined) metadata.set("idempotency-key", idempotencyKey);
      return new Promise((resolve, reject) => {
        client.makeUnaryRequest(`/${rpc}`, same, same, Buffer.from(request), metadata, (error, bytes) =>
          error === null ? resolve(bytes ?? new Uint8Array()) : reject(error),
        );
      });
    },
  };
}

async function deploy(address: string): Promise<void> {
  const deployed = await runProgram({
    name: "sidestep deploy",
    command: process.execPath,
    args: [path.join(repositoryRoot, "bin/sidestep.js"), "deploy", contract, "--address", address],
  });
  if (deployed.code !== 0) throw new Error(`deploy failed:\n${deployed.lines.join("\n")}`);
}

/** What the logs of all partitions hold now. */
export async function logState(url: string): Promise<{ readonly messages: number; readonly bytes: number }> {
  await using nats = await connectTo(url);
  const manager = await jetstreamManager(nats.connection);
  const names = toNames();
  let [messages, bytes] = [0, 0];
  for (let partition = 0; partition < 4; partition++) {
    const { state } = await manager.streams.info(names.logStream(partition));
    messages += state.messages;
    bytes += state.bytes;
  }
  return { messages, bytes };
}
