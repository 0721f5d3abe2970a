import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { credentials } from "@grpc/grpc-js";
import { jetstreamManager } from "@nats-io/jetstream";
import { Event } from "../../proto/gen/sidestep/internal/v1/event.ts";
import { Lease } from "../../proto/gen/sidestep/internal/v1/record.ts";
import { toNames } from "../../proto/wire/subjects.ts";
import { isVoidStart } from "../../orchestrator/src/engine/limits.ts";
import { connectTo } from "./connectTo.ts";
import { freePort } from "./freePort.ts";
import { startNats } from "./nats.ts";
import type { Nats } from "./nats.ts";
import { orchestratorReady } from "./orderStack.ts";
import { repositoryRoot, runProgram, startNode } from "./program.ts";
import type { Program } from "./program.ts";

/** Orchestrators, over one partition unless told, and a contract whose workflows call nobody. */
export interface ScheduleStack extends AsyncDisposable {
  readonly nats: Nats;
  readonly addresses: readonly string[];
  /** Kills the orchestrator that owns the (first) partition, and starts another in its place; which it was. */
  readonly crashOwner: () => Promise<number>;
  /** Deploys the contract with this text of flows/v1/flows.proto. */
  readonly deploy: (flows: string) => Promise<void>;
  readonly stopAll: () => Promise<void>;
  /** Runs that the log (of the first partition) says a schedule started, by their nominal time. */
  readonly startsOf: (scheduleId: string) => Promise<ReadonlyMap<number, readonly string[]>>;
}

const names = toNames();

/** Starts it, with `flows` deployed. */
export async function startScheduleStack(
  flows: string,
  options: { readonly orchestrators?: number; readonly partitions?: number } = {},
): Promise<ScheduleStack> {
  await using started = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-schedules-"));
  started.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  await mkdir(path.join(folder, "sidestep/v1"), { recursive: true });
  await mkdir(path.join(folder, "flows/v1"), { recursive: true });
  await cp(
    path.join(repositoryRoot, "proto/sidestep/v1/workflow.proto"),
    path.join(folder, "sidestep/v1/workflow.proto"),
  );
  await writeFile(path.join(folder, "buf.yaml"), "version: v2\n");
  const nats = started.use(await startNats());
  const addresses: string[] = [];
  const programs: Program[] = [];
  started.defer(async () => void (await Promise.all(programs.map((one) => one.kill9()))));
  const start = (address: string): Promise<Program> =>
    startNode("orchestrator/src/main.ts", {
      name: "orchestrator",
      args: ["--listen", address, "--admin-port", "0", "--partitions", String(options.partitions ?? 1)],
      env: { NATS_URL: nats.url, NODE_OPTIONS: undefined },
      readyLine: orchestratorReady,
    });
  for (let index = 0; index < (options.orchestrators ?? 1); index++) {
    const address = `127.0.0.1:${await freePort()}`;
    addresses.push(address);
    programs.push(await start(address));
  }
  const deploy = async (text: string): Promise<void> => {
    await writeFile(path.join(folder, "flows/v1/flows.proto"), text);
    const args = [path.join(repositoryRoot, "bin/sidestep.js"), "deploy", folder, "--address", addresses[0] ?? ""];
    const deployed = await runProgram({ name: "sidestep deploy", command: process.execPath, args });
    assert(deployed.code === 0, deployed.lines.join("\n"));
  };
  await deploy(flows);
  const owned = started.move();
  return {
    nats,
    addresses,
    deploy,
    crashOwner: async () => {
      const pid = await ownerPid(nats.url);
      const index = programs.findIndex((one) => one.pid === pid);
      const [owner, address] = [programs[index], addresses[index]];
      assert(owner !== undefined && address !== undefined, `no orchestrator has the pid ${pid}`);
      await owner.kill9();
      programs[index] = await start(address);
      return index;
    },
    stopAll: async () => void (await Promise.all(programs.map((one) => one.stop()))),
    startsOf: (scheduleId) => startsOf(nats.url, scheduleId),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Its id has it: host-pid-something. */
async function ownerPid(url: string): Promise<number> {
  await using nats = await connectTo(url);
  const manager = await jetstreamManager(nats.connection);
  const subject = `$KV.${names.partitionsBucket}.0`;
  const stored = await manager.streams.getMessage(`KV_${names.partitionsBucket}`, { last_by_subj: subject });
  const { owner } = Lease.decode(stored?.data ?? new Uint8Array());
  return Number(owner.split("-").at(-2));
}

async function startsOf(url: string, scheduleId: string): Promise<ReadonlyMap<number, readonly string[]>> {
  await using nats = await connectTo(url);
  const manager = await jetstreamManager(nats.connection);
  const stream = names.logStream(0);
  const { state } = await manager.streams.info(stream);
  const starts = new Map<number, readonly string[]>();
  for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
    const message = await manager.streams.getMessage(stream, { seq });
    const [, , , run = "", kind] = message?.subject.split(".") ?? [];
    if (message === null || kind !== "e") continue;
    const event = Event.decode(message.data).kind;
    if (event?.$case !== "runStarted" || isVoidStart(event.value, message.time.getTime())) continue;
    const { schedule } = event.value;
    if (schedule?.id !== scheduleId) continue;
    starts.set(schedule.nominalMs, [...(starts.get(schedule.nominalMs) ?? []), run]);
  }
  return starts;
}

/** A client of one of our services at an address; closed with its scope. */
export function openClient<Client extends { close(): void }>(
  make: new (address: string, given: ReturnType<typeof credentials.createInsecure>) => Client,
  address: string,
): Client & Disposable {
  const client = new make(address, credentials.createInsecure());
  return Object.assign(client, { [Symbol.dispose]: () => client.close() });
}
