import { pause } from "../../runtime/src/pause.ts";
import { freePort } from "./freePort.ts";
import { startNats } from "./nats.ts";
import type { Nats } from "./nats.ts";

/** Servers of one JetStream cluster, on this machine; leaving its scope kills them. */
export interface NatsCluster extends AsyncDisposable {
  readonly servers: readonly Nats[];
  /** All their addresses, as NATS_URL takes them. */
  readonly url: string;
  readonly urls: readonly string[];
}

export type NatsClusterOptions = {
  /** How many there are; 3 unless told. */
  readonly servers?: number;
  /** As `startNats` takes it, for each of them. */
  readonly syncInterval?: string;
  /** Added to the configuration of each. */
  readonly configuration?: string;
};

/** The name of a server in its cluster, as leaders are told: n0, n1, n2. */
export function toServerName(index: number): string {
  return `n${index}`;
}

/** Starts them on free ports, and waits until they have elected a leader: streams can be made. */
export async function startNatsCluster({
  servers: count = 3,
  syncInterval,
  configuration = "",
}: NatsClusterOptions = {}): Promise<NatsCluster> {
  await using started = new AsyncDisposableStack();
  const ports = await Promise.all(Array.from({ length: count }, freePort));
  const routes = ports.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
  const start = async (port: number, index: number): Promise<Nats> =>
    started.use(
      await startNats({
        configuration: `server_name: ${toServerName(index)}\ncluster { name: c, listen: "127.0.0.1:${port}", routes: [${routes}] }\n${configuration}`,
        ...(syncInterval === undefined ? {} : { syncInterval }),
      }),
    );
  const servers = await Promise.all(ports.map(start));
  const urls = servers.map(({ url }) => url);
  await untilLed(servers);
  const owned = started.move();
  return { servers, urls, url: urls.join(","), [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function untilLed(servers: readonly Nats[]): Promise<void> {
  for (const until = Date.now() + 30_000; Date.now() < until; await pause(50))
    if (servers.some((it) => it.lines().some((line) => line.includes("cluster metadata leader")))) return;
  throw new Error("the servers have elected no leader within 30 s");
}
