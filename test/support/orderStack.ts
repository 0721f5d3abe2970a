import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { freePort } from "./freePort.ts";
import { startNats } from "./nats.ts";
import { pause } from "../../runtime/src/pause.ts";
import type { Nats } from "./nats.ts";
import { startNatsCluster } from "./natsCluster.ts";
import { startOrderServices } from "./orderServices.ts";
import type { OrderService, OrderServiceName, OrderServices } from "./orderServices.ts";
import { repositoryRoot, runProgram, startNode } from "./program.ts";
import type { Program } from "./program.ts";

/** A process of ours that can be killed and started again in its place. */
export interface Restartable {
  readonly name: string;
  readonly program: () => Program;
  /** SIGKILL, and started again at once or after so long; resolves when it is ready. */
  readonly crash: (afterMs?: number) => Promise<void>;
  /** SIGTERM, its end awaited, and started again. */
  readonly restart: () => Promise<void>;
}

/** The order example with everything it needs, each part a process of its own; leaving the scope ends all of it. */
export interface OrderStack extends AsyncDisposable {
  /** The first of the servers. */
  readonly nats: Nats;
  readonly servers: readonly Nats[];
  readonly orchestrators: readonly (Restartable & { readonly address: string })[];
  readonly services: OrderServices;
  readonly sidecars: Readonly<Record<OrderServiceName, Restartable>>;
}

export interface OrderStackOptions {
  readonly orchestrators?: number;
  /** nats-servers: 1 unless told; of 3 each stream has three copies. */
  readonly servers?: 1 | 3;
  /** Added to the configuration of each of three. */
  readonly natsConfiguration?: string;
  readonly otlpEndpoint?: string;
  /** Folder for what orchestrators and sidecars write, made if it is not there; absent: it is kept in memory only. */
  readonly logs?: string;
  /** Folder of .proto files to deploy in place of the example's. */
  readonly protos?: string;
  readonly orchestratorEnv?: Readonly<Record<string, string>>;
  readonly serviceEnv?: Readonly<Partial<Record<OrderServiceName, Readonly<Record<string, string>>>>>;
}

const exampleProtos = path.join(repositoryRoot, "examples/order/proto");

export async function startOrderStack(options: OrderStackOptions = {}): Promise<OrderStack> {
  await using started = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-order-"));
  started.defer(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  if (options.logs !== undefined) await mkdir(options.logs, { recursive: true });
  const { nats, servers } = await startServers(started, options.servers ?? 1, options.natsConfiguration);
  const services = started.use(
    await startOrderServices({
      folder,
      ...(options.otlpEndpoint === undefined ? {} : { otlpEndpoint: options.otlpEndpoint }),
      ...(options.serviceEnv === undefined ? {} : { env: options.serviceEnv }),
    }),
  );
  const env = {
    NATS_URL: servers.map(({ url }) => url).join(","),
    ...(servers.length === 3 ? { SIDESTEP_REPLICAS: "3" } : {}),
    ...(options.otlpEndpoint === undefined ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: options.otlpEndpoint }),
  };
  const orchestrators: (Restartable & { readonly address: string })[] = [];
  for (let i = 0; i < (options.orchestrators ?? 1); i++) {
    const address = `127.0.0.1:${await freePort()}`;
    const orchestrator = await startRestartable(started, `orchestrator-${i}`, () =>
      startNode("orchestrator/src/main.ts", {
        name: `orchestrator-${i}`,
        args: ["--listen", address, "--admin-port", "0"],
        env: { ...env, ...options.orchestratorEnv },
        readyLine: orchestratorReady,
        ...logFile(options.logs, `orchestrator-${i}`),
      }),
    );
    orchestrators.push({ ...orchestrator, address });
  }
  const sidecar = (service: OrderService): Promise<Restartable> =>
    startRestartable(started, `sidecar-${service.name}`, () =>
      startNode("sidecar/src/main.ts", {
        name: `sidecar-${service.name}`,
        args: ["--service", service.address, ...expose(service), "--admin-port", "0"],
        env,
        readyLine: sidecarReady,
        ...logFile(options.logs, `sidecar-${service.name}`),
      }),
    );
  const { inventory, payment, shipping } = services;
  const starting = [sidecar(inventory), sidecar(payment), sidecar(shipping)] as const;
  const deploying = deployOrder(orchestrators[0]?.address ?? "", options.protos);
  // When one fails, what the others have started is ended too.
  await Promise.allSettled([...starting, deploying]);
  await deploying;
  const [inventorySidecar, paymentSidecar, shippingSidecar] = await Promise.all(starting);
  const sidecars = { inventory: inventorySidecar, payment: paymentSidecar, shipping: shippingSidecar };
  const owned = started.move();
  return { nats, servers, orchestrators, services, sidecars, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

function logFile(folder: string | undefined, name: string): { readonly logFile?: string } {
  return folder === undefined ? {} : { logFile: path.join(folder, `${name}.log`) };
}

async function startServers(
  owner: AsyncDisposableStack,
  count: 1 | 3,
  configuration = "",
): Promise<{ readonly nats: Nats; readonly servers: readonly Nats[] }> {
  if (count === 1) {
    const nats = owner.use(await startNats());
    return { nats, servers: [nats] };
  }
  const { servers } = owner.use(await startNatsCluster({ servers: count, configuration }));
  const [nats] = servers;
  assert(nats !== undefined);
  return { nats, servers };
}

/** What an orchestrator logs when it serves. */
export const orchestratorReady = /"msg":"ready"/;
/** What a sidecar logs when it has begun. */
export const sidecarReady = /"msg":"sidecar ready"/;

/** Deploys the example's workflows with the command line, as a user would. */
export async function deployOrder(address: string, protos: string = exampleProtos): Promise<void> {
  const deployed = await runProgram({
    name: "sidestep deploy",
    command: process.execPath,
    args: [path.join(repositoryRoot, "bin/sidestep.js"), "deploy", protos, "--address", address],
  });
  if (deployed.code !== 0) throw new Error(`deploy failed:\n${deployed.lines.join("\n")}`);
}

/** Only inventory has reflection. */
function expose(service: OrderService): readonly string[] {
  return service.name === "inventory" ? [] : ["--expose", service.service];
}

async function startRestartable(
  owner: AsyncDisposableStack,
  name: string,
  start: () => Promise<Program>,
): Promise<Restartable> {
  let program = await start();
  owner.defer(async () => void (await program.kill9()));
  return {
    name,
    program: () => program,
    crash: async (afterMs = 0) => {
      await program.kill9();
      await pause(afterMs);
      program = await start();
    },
    restart: async () => {
      await program.stop();
      program = await start();
    },
  };
}
