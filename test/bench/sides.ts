import { freePort } from "../support/freePort.ts";
import { startNats } from "../support/nats.ts";
import type { Nats } from "../support/nats.ts";
import { startNatsCluster } from "../support/natsCluster.ts";
import { startNode } from "../support/program.ts";
import type { Program } from "../support/program.ts";
import { nodeFlags } from "../../bin/nodeFlags.mjs";
import { callClients } from "../../sidecar/src/grpc/callClient.ts";
import type { CallClientName } from "../../sidecar/src/grpc/callClient.ts";
import { makeFloorStreams } from "./floor/bus.ts";
import type { FloorKind } from "./floor/bus.ts";
import { startProduct } from "./product.ts";
import { inspectFlag, openInspector } from "./profile/inspector.ts";
import type { Inspector } from "./profile/inspector.ts";
import type { Side, SideName } from "./rounds.ts";
import { startService } from "./services/service.ts";
import type { ServiceKind } from "./services/service.ts";
import { progress } from "./stack.ts";

/** What the sides are started on. */
export interface SidesOptions {
  readonly service: ServiceKind;
  /** nats-servers: one, or a cluster. */
  readonly servers: number;
  readonly replicas: number;
  readonly syncInterval: string | undefined;
  readonly grpcClient: CallClientName;
  readonly floors: readonly FloorKind[];
  readonly isProfiled: boolean;
}

/** Throws on what is none. */
export function parseGrpcClient(text: string): CallClientName {
  const found = callClients.find((it) => it === text);
  if (found === undefined) throw new Error(`--grpc-client ${text}: there are ${callClients.join(", ")}`);
  return found;
}

/** What is measured beside each other, on the same nats-server and with the same service; the product comes last. */
export async function openSides(programs: AsyncDisposableStack, options: SidesOptions): Promise<readonly Side[]> {
  progress("starting nats-server, service and all sides");
  const sync = options.syncInterval === undefined ? {} : { syncInterval: options.syncInterval };
  const nats = programs.use(
    options.servers === 1
      ? toOne(await startNats(sync))
      : await startNatsCluster({ ...sync, servers: options.servers }),
  );
  const service = await startService(options.service);
  programs.use(service.program);
  const about = { ...options, natsUrl: nats.url, serviceAddress: service.address };
  const toSide = async (name: SideName, { address, own }: Started): Promise<Side> => {
    const inspectors: Record<string, Inspector> = {};
    const pids: Record<string, number> = {};
    for (const [program, it] of Object.entries(own)) {
      pids[program] = it.pid;
      if (options.isProfiled) inspectors[program] = programs.use(await openInspector(it));
    }
    const natsServer = nats.servers.map((it) => it.pid());
    return { name, address, pids: { ...pids, natsServer, service: service.program.pid }, inspectors };
  };
  const sides: Side[] = [];
  for (const kind of options.floors) sides.push(await toSide(kind, await startFloor(programs, kind, about)));
  sides.push(await toSide("product", await startOurs(programs, about)));
  return sides;
}

/** Of a side, what is not shared. */
interface Started {
  readonly address: string;
  readonly own: Readonly<Record<"orchestrator" | "sidecar", Program>>;
}

type About = SidesOptions & { readonly natsUrl: string; readonly serviceAddress: string };

async function startOurs(programs: AsyncDisposableStack, about: About): Promise<Started> {
  const { natsUrl, replicas, grpcClient, isProfiled, serviceAddress } = about;
  const sidecars = [{ service: serviceAddress, grpcClient }];
  const product = programs.use(await startProduct({ natsUrl, sidecars, replicas, isInspected: isProfiled }));
  const [orchestrator] = product.orchestrators;
  const [sidecar] = product.sidecars;
  if (orchestrator === undefined || sidecar === undefined) throw new Error("the product is not whole");
  return { address: orchestrator.address, own: { orchestrator: orchestrator.program, sidecar: sidecar.program } };
}

async function startFloor(programs: AsyncDisposableStack, kind: FloorKind, about: About): Promise<Started> {
  const { natsUrl, replicas, grpcClient, isProfiled, serviceAddress } = about;
  const port = await freePort();
  await makeFloorStreams(natsUrl, kind, replicas);
  const start = async (name: "orchestrator" | "sidecar", args: readonly string[]): Promise<Program> =>
    programs.use(
      await startNode(`test/bench/floor/${name}.ts`, {
        args,
        readyLine: /READY/,
        name: `${name} of the ${kind}`,
        nodeArgs: [...nodeFlags[name], ...(isProfiled ? [inspectFlag] : [])],
      }),
    );
  const orchestrator = await start("orchestrator", [natsUrl, String(port), kind]);
  const sidecar = await start("sidecar", [natsUrl, serviceAddress, kind, grpcClient]);
  return { address: `127.0.0.1:${port}`, own: { orchestrator, sidecar } };
}

/** One server as a cluster of one. */
function toOne(nats: Nats): AsyncDisposable & { readonly url: string; readonly servers: readonly Nats[] } {
  return { url: nats.url, servers: [nats], [Symbol.asyncDispose]: () => nats[Symbol.asyncDispose]() };
}
