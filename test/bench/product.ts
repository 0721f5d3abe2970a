import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import type { CallClientName } from "../../sidecar/src/grpc/callClient.ts";
import { freePort } from "../support/freePort.ts";
import { repositoryRoot, runProgram, startNode } from "../support/program.ts";
import type { Program } from "../support/program.ts";
import { nodeFlags } from "../../bin/nodeFlags.mjs";
import type { Bundles } from "./bundles.ts";
import { inspectFlag } from "./profile/inspector.ts";

/** Our programs as anybody starts them, with the contract of the benchmark deployed. */
export interface Product extends AsyncDisposable {
  readonly orchestrators: readonly Orchestrator[];
  readonly sidecars: readonly Member[];
  /** One more. */
  startOrchestrator(): Promise<Orchestrator>;
  startSidecar(options: SidecarOptions): Promise<Member>;
}

/** A process of ours. */
export interface Member {
  readonly program: Program;
  /** Of /metrics. */
  readonly adminPort: number;
}

export interface Orchestrator extends Member {
  /** Its front door. */
  readonly address: string;
}

export interface SidecarOptions {
  /** The service's address. */
  readonly service: string;
  /** Names to expose. */
  readonly expose?: readonly string[];
  readonly concurrency?: number;
  readonly grpcClient?: CallClientName;
  /** Further flags. */
  readonly args?: readonly string[];
}

/** What it is started on. */
export interface ProductOptions {
  readonly natsUrl: string;
  /** 1 unless told. */
  readonly orchestrators?: number;
  readonly sidecars: readonly SidecarOptions[];
  /** Makes them ready for an inspector. */
  readonly isInspected?: boolean;
  /** Of each stream; 1 unless told. */
  readonly replicas?: number;
  /** The bundles; their sources unless told. */
  readonly bundles?: Pick<Bundles, "file">;
  /** Further flags. */
  readonly orchestratorArgs?: readonly string[];
}

/** Where the contract of the benchmark is. */
export const contractFolder = path.join(import.meta.dirname, "contract");

/** Starts it: traces sampled at 1 % and really sent. */
export async function startProduct(options: ProductOptions): Promise<Product> {
  await using starting = new AsyncDisposableStack();
  let programs = starting;
  const sink = await openSink(programs);
  const start = async (
    name: "orchestrator" | "sidecar",
    args: readonly string[],
    readyLine: RegExp,
    env: Readonly<Record<string, string>> = {},
  ): Promise<Program> =>
    programs.use(
      await startNode(options.bundles?.file(name) ?? `${name}/src/main.ts`, {
        args: [...args, "--admin-port", "0"],
        readyLine,
        env: { NATS_URL: options.natsUrl, ...env },
        name,
        // As `sidestep` starts it.
        nodeArgs: [...nodeFlags[name], ...(options.isInspected === true ? [inspectFlag] : [])],
      }),
    );
  const startOrchestrator = async (): Promise<Orchestrator> => {
    const address = `127.0.0.1:${await freePort()}`;
    const replicas = options.replicas === undefined ? [] : ["--replicas", String(options.replicas)];
    const args = ["--listen", address, ...replicas, ...(options.orchestratorArgs ?? [])];
    const program = await start("orchestrator", args, /"msg":"ready"/, {
      OTEL_EXPORTER_OTLP_ENDPOINT: sink,
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.01",
    });
    return { program, address, adminPort: portIn(program, /"adminPort":(\d+)/) };
  };
  const startSidecar = async ({
    service,
    expose,
    concurrency = 256,
    grpcClient = "own",
    args: more = [],
  }: SidecarOptions): Promise<Member> => {
    const exposed = (expose ?? ["bench.v1.Echo"]).flatMap((name) => ["--expose", name]);
    const bounds = ["--concurrency", String(concurrency), "--grpc-client", grpcClient];
    const args = ["--service", service, ...exposed, ...bounds, ...more];
    const program = await start("sidecar", args, /sidecar ready/);
    return { program, adminPort: portIn(program, /"msg":"admin server listens".*"port":(\d+)/) };
  };
  const orchestrators: Orchestrator[] = [];
  for (let i = 0; i < (options.orchestrators ?? 1); i++) {
    const one = await startOrchestrator();
    orchestrators.push(one);
    if (i === 0) await deploy(contractFolder, one.address);
  }
  const sidecars: Member[] = [];
  for (const one of options.sidecars) sidecars.push(await startSidecar(one));
  programs = starting.move();
  return {
    orchestrators,
    sidecars,
    startOrchestrator,
    startSidecar,
    [Symbol.asyncDispose]: () => programs.disposeAsync(),
  };
}

/** Deploys a folder of .proto files at a front door. */
export async function deploy(folder: string, address: string): Promise<void> {
  const deployed = await runProgram({
    name: "deploy",
    command: process.execPath,
    args: [path.join(repositoryRoot, "bin/sidestep.js"), "deploy", folder, "--address", address],
  });
  if (deployed.code !== 0) throw new Error(`deploy failed:\n${deployed.lines.join("\n")}`);
}

function portIn(program: Program, pattern: RegExp): number {
  for (const line of program.lines) {
    const port = pattern.exec(line)?.[1];
    if (port !== undefined) return Number(port);
  }
  throw new Error(`${program.name} told no port:\n${program.lines.join("\n")}`);
}

/** Takes spans and throws them away. */
async function openSink(programs: AsyncDisposableStack): Promise<string> {
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(200, { "content-type": "application/x-protobuf" }).end());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  programs.defer(() => void server.close());
  server.unref();
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
