import { mkdir, mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { freePort } from "../../../test/support/freePort.ts";
import { startNats } from "../../../test/support/nats.ts";
import { startOrderServices } from "../../../test/support/orderServices.ts";
import type { OrderService, OrderServiceName, OrderServices } from "../../../test/support/orderServices.ts";
import { startOtlpReceiver } from "../../../test/support/otlpReceiver.ts";
import type { OtlpReceiver } from "../../../test/support/otlpReceiver.ts";
import { repositoryRoot, runProgram, startProgram } from "../../../test/support/program.ts";
import type { Program } from "../../../test/support/program.ts";

/** One process of ours, which the demo can kill and start again. */
export interface Part {
  readonly name: string;
  readonly pid: () => number;
  /** SIGKILL, and the end awaited. */
  readonly kill9: () => Promise<void>;
  readonly start: () => Promise<void>;
  /** SIGTERM, and the end awaited. */
  readonly stop: () => Promise<void>;
}

/** Everything the demo runs, each a process of its own; leaving the scope ends all of it. */
export interface Stage extends AsyncDisposable {
  /** host:port of the orchestrator. */
  readonly address: string;
  readonly natsUrl: string;
  readonly orchestrator: Part;
  readonly services: OrderServices;
  readonly sidecars: Readonly<Record<OrderServiceName, Part>>;
  /** Undefined when OTEL_EXPORTER_OTLP_ENDPOINT names another collector. */
  readonly receiver: OtlpReceiver | undefined;
  /** Folder of logs and journals. */
  readonly folder: string;
}

export interface StageOptions {
  readonly say: (line: string) => void;
  /** Collector of the user's; undefined: the demo has one of its own. */
  readonly otlpEndpoint: string | undefined;
  /** How long the carrier takes for parcels that are not express. */
  readonly carrierDeskMs: number;
  /** Base of the Jaeger pages that the console is to link to. */
  readonly jaegerUrl?: string | undefined;
  /** Folder of our programs as they are shipped; undefined: their sources are run. */
  readonly bundles?: string | undefined;
}

/** Makes the folder that outlives the stage when something goes wrong. */
export async function makeStageFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), "sidestep-demo-"));
  await mkdir(path.join(folder, "logs"));
  return folder;
}

/** Removes it. */
export function removeStageFolder(folder: string): Promise<void> {
  return rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

/** Starts everything and deploys the workflow. */
export async function openStage(
  folder: string,
  { say, otlpEndpoint, carrierDeskMs, jaegerUrl, bundles }: StageOptions,
): Promise<Stage> {
  await using started = new AsyncDisposableStack();
  const logs = path.join(folder, "logs");
  const receiver = otlpEndpoint === undefined ? started.use(await startOtlpReceiver()) : undefined;
  const otlp = otlpEndpoint ?? receiver?.httpUrl ?? "";
  const nats = started.use(await startNats({ logFile: path.join(logs, "nats-server.log") }));
  say(`nats-server        ${nats.url}`);
  const descriptors = path.join(folder, "contracts.binpb");
  const startServices = async (): Promise<OrderServices> => {
    const env = { shipping: { SHIP_DELAY_MS: String(carrierDeskMs) } };
    const services = started.use(await startOrderServices({ folder, logs, otlpEndpoint: otlp, env }));
    for (const { name, address } of services.all)
      say(`${name.padEnd(18)} ${address}  (${languages[name]}; knows nothing of the rest)`);
    return services;
  };
  const address = `127.0.0.1:${await freePort()}`;
  const startOrchestrator = async (): Promise<Part> => {
    const part = await startPart(started, logs, {
      name: "orchestrator",
      ...programOf("orchestrator", bundles),
      args: ["--listen", address, ...(jaegerUrl === undefined ? [] : ["--jaeger-url", jaegerUrl])],
      env: { NATS_URL: nats.url, OTEL_EXPORTER_OTLP_ENDPOINT: otlp },
    });
    say(`orchestrator       ${address}`);
    await deploy(address, bundles);
    say("deployed           shop.v1.OrderWorkflow/Fulfil  (examples/order/proto/shop/v1/order.proto)");
    return part;
  };
  const starting = [startServices(), startOrchestrator(), buildDescriptors(descriptors)] as const;
  // When one fails, what the others have started is ended too.
  await Promise.allSettled(starting);
  const [services, orchestrator] = await Promise.all(starting);
  const sidecar = (service: OrderService): Promise<Part> =>
    startPart(started, logs, {
      name: `${service.name}-sidecar`,
      ...programOf("sidecar", bundles),
      args: ["--service", service.address, ...howFound(service, descriptors)],
      env: { NATS_URL: nats.url, OTEL_SERVICE_NAME: `${service.name}-sidecar` },
    });
  const [inventory, payment, shipping] = await Promise.all([
    sidecar(services.inventory),
    sidecar(services.payment),
    sidecar(services.shipping),
  ]);
  say("three sidecars     one beside each service");
  const sidecars = { inventory, payment, shipping };
  const owned = started.move();
  const dispose = (): Promise<void> => owned.disposeAsync();
  return {
    address,
    natsUrl: nats.url,
    orchestrator,
    services,
    sidecars,
    receiver,
    folder,
    [Symbol.asyncDispose]: dispose,
  };
}

/** What to run: a bundle by its name, with the flags that it has, or the sources. */
function programOf(
  program: "orchestrator" | "sidecar",
  bundles: string | undefined,
): Pick<PartOptions, "command" | "first"> {
  if (bundles !== undefined) return { command: path.join(bundles, `${program}.js`), first: [] };
  return { command: process.execPath, first: [path.join(repositoryRoot, program, "src/main.ts")] };
}

interface PartOptions {
  readonly name: string;
  readonly command: string;
  /** Arguments before those of the program. */
  readonly first: readonly string[];
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

async function startPart(
  owner: AsyncDisposableStack,
  logs: string,
  { name, command, first, args, env }: PartOptions,
): Promise<Part> {
  const start = (): Promise<Program> =>
    startProgram({
      name,
      command,
      args: [...first, ...args, "--admin-port", "0", "--log-format", "json"],
      env,
      readyLine: /"msg":"(ready|sidecar ready|orchestrator ready)/,
      logFile: path.join(logs, `${name}.log`),
    });
  let program = await start();
  owner.defer(async () => void (await program.stop({ graceMs: 5_000 }).catch(() => program.kill9())));
  return {
    name,
    pid: () => program.pid,
    kill9: async () => void (await program.kill9()),
    start: async () => {
      program = await start();
    },
    stop: async () => void (await program.stop()),
  };
}

const languages: Readonly<Record<OrderServiceName, string>> = {
  inventory: "Node",
  payment: "Python",
  shipping: "Node",
};

/** The three ways in which a sidecar learns what its service offers. */
function howFound(service: OrderService, descriptors: string): readonly string[] {
  switch (service.name) {
    case "inventory":
      // By reflection: nothing to say.
      return [];
    case "payment":
      return ["--expose", service.service];
    case "shipping":
      return ["--descriptor-set", descriptors, "--expose", service.service];
  }
}

async function deploy(address: string, bundles: string | undefined): Promise<void> {
  const command = bundles === undefined ? "bin/sidestep.js" : path.join(bundles, "sidestep.js");
  const deployed = await runProgram({
    name: "sidestep deploy",
    command: process.execPath,
    args: [path.resolve(repositoryRoot, command), "deploy", "examples/order/proto", "--address", address],
  });
  if (deployed.code !== 0) throw new Error(`sidestep deploy failed:\n${deployed.lines.join("\n")}`);
}

async function buildDescriptors(file: string): Promise<void> {
  const built = await runProgram({
    name: "buf build",
    command: path.join(repositoryRoot, "node_modules/.bin/buf"),
    args: ["build", "examples/order/proto", "-o", file],
  });
  if (built.code !== 0) throw new Error(`buf build failed:\n${built.lines.join("\n")}`);
}
