import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { freePort } from "../support/freePort.ts";
import type { Nats } from "../support/nats.ts";
import { repositoryRoot, runProgram, startNode } from "../support/program.ts";
import type { Program } from "../support/program.ts";
import { inspectFlag } from "./profile/inspector.ts";

/** Our programs as anybody starts them, with the contract of the benchmark deployed. */
export interface Product extends AsyncDisposable {
  /** The front door. */
  readonly address: string;
  readonly orchestrator: Program;
  readonly sidecar: Program;
}

/** What it is started on. `service`: its address. */
export interface ProductOptions {
  readonly nats: Nats;
  readonly service: string;
  readonly isProfiled?: boolean;
}

/** Starts it: traces sampled at 1 % and really sent. */
export async function startProduct({ nats, service, isProfiled = false }: ProductOptions): Promise<Product> {
  await using programs = new AsyncDisposableStack();
  const address = `127.0.0.1:${await freePort()}`;
  const start = async (
    file: string,
    args: readonly string[],
    readyLine: RegExp,
    env: Readonly<Record<string, string>> = {},
  ): Promise<Program> =>
    programs.use(
      await startNode(file, {
        args: [...args, "--admin-port", "0"],
        readyLine,
        env: { NATS_URL: nats.url, ...env },
        name: file,
        nodeArgs: isProfiled ? [inspectFlag] : [],
      }),
    );
  const orchestrator = await start("orchestrator/src/main.ts", ["--listen", address], /"msg":"ready"/, {
    OTEL_EXPORTER_OTLP_ENDPOINT: await openSink(programs),
    OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
    OTEL_TRACES_SAMPLER_ARG: "0.01",
  });
  await deploy(path.join(import.meta.dirname, "contract"), address);
  const sidecar = await start(
    "sidecar/src/main.ts",
    ["--service", service, "--expose", "bench.v1.Echo", "--concurrency", "256"],
    /sidecar ready/,
  );
  const owned = programs.move();
  return { address, orchestrator, sidecar, [Symbol.asyncDispose]: () => owned.disposeAsync() };
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
