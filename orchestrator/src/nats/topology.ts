import type { NatsConnection } from "@nats-io/transport-node";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Log } from "../../../runtime/src/log.ts";
import { askAgain, askJetStream, JetStreamFailure } from "./jetstream.ts";
import {
  auditStream,
  bucket,
  limitedConsumer,
  logStream,
  otherBuckets,
  parkedStream,
  taskConsumer,
  tasksStream,
  timersSourceConsumer,
  timersStream,
} from "./streams.ts";
import type { ConsumerConfig, StreamConfig } from "./streams.ts";

/** What the streams are made for. */
export interface TopologyOptions {
  readonly names: Names;
  /** Copies of each stream: 1, or 3 on a cluster. */
  readonly replicas: number;
  /** How long entries of the audit are kept; left out: 90 days. */
  readonly auditRetentionMs?: number;
}

const nameInUse = 10058;
const noSuchConsumer = 10014;
const auditRetentionDefaultMs = 90 * 86_400_000;
const smallestPayloadBytes = 1024 * 1024;
const replicatedSourceSince: readonly [number, number] = [2, 15];

/**
 * Makes the bucket that holds layout, leases and secret: what is needed before the number of partitions is known. Throws when the server
 * can't carry us: too small messages, or settings that it ignores.
 */
export async function ensurePartitionsBucket(
  connection: NatsConnection,
  { names, replicas }: Omit<TopologyOptions, "auditRetentionMs">,
): Promise<void> {
  const largest = connection.info?.max_payload ?? 0;
  if (largest < smallestPayloadBytes) {
    throw new Error(
      `nats-server takes messages of ${largest} bytes at most, at least ${smallestPayloadBytes} are needed: set max_payload in its configuration.`,
    );
  }
  await ensureStream(connection, bucket(names.partitionsBucket, replicas));
}

/** Makes or verifies all other streams and buckets, and says how durable they are. Doing it again changes nothing. */
export async function ensureTopology(
  connection: NatsConnection,
  { names, replicas, auditRetentionMs = auditRetentionDefaultMs }: TopologyOptions,
  partitions: number,
  log: Log,
): Promise<void> {
  const durableSource = replicas > 1 && isAtLeast(connection, replicatedSourceSince);
  const ensureLog = async (partition: number): Promise<void> => {
    if (durableSource)
      await ensureConsumer(connection, names.timersStream, timersSourceConsumer(names, partition, replicas));
    await ensureStream(connection, logStream(names, partition, replicas, durableSource));
  };
  // Nothing waits for the answer of another but what sources from it: a start has two round trips, however many streams there are.
  await Promise.all(
    [
      timersStream(names, replicas),
      tasksStream(names, replicas),
      auditStream(names, replicas, auditRetentionMs),
      parkedStream(names, replicas),
      ...otherBuckets(names, replicas),
    ].map((config) => ensureStream(connection, config)),
  );
  await Promise.all(Array.from({ length: partitions }, (_, partition) => ensureLog(partition)));
  reportDurability(connection, replicas, durableSource, log);
}

/** Makes the consumer from which sidecars pull the tasks of a service; at deploy, so that tasks can wait for sidecars. */
export async function ensureTaskConsumer(connection: NatsConnection, names: Names, service: string): Promise<void> {
  await ensureConsumer(connection, names.tasksStream, taskConsumer(names, service));
}

/** Makes the consumer of a limited method's tasks, or lets it hand out so many at a time from now on. */
export async function ensureLimitedConsumer(
  connection: NatsConnection,
  names: Names,
  method: string,
  inHandsMax: number,
): Promise<void> {
  await ensureConsumer(connection, names.tasksStream, limitedConsumer(names, method, inHandsMax));
}

/** Whether that consumer is there and hands out so many. */
export async function isLimitedConsumer(
  connection: NatsConnection,
  names: Names,
  method: string,
  inHandsMax: number,
): Promise<boolean> {
  const wanted = limitedConsumer(names, method, inHandsMax);
  const verb = `CONSUMER.INFO.${names.tasksStream}.${wanted.durable_name}`;
  const found = await askJetStream(connection, verb, undefined).catch(absent);
  return found !== undefined && differences(wanted, found.config).length === 0;
}

/** Removes that consumer once nothing waits for it; false when something does. */
export async function removeIdleConsumer(connection: NatsConnection, names: Names, method: string): Promise<boolean> {
  const name = names.limitedConsumer(method);
  const found = await askJetStream(connection, `CONSUMER.INFO.${names.tasksStream}.${name}`, undefined).catch(absent);
  if (found === undefined) return true;
  if ((found.num_pending ?? 0) + (found.num_ack_pending ?? 0) > 0) return false;
  // A consumer of the same name that comes later would begin with what is still there.
  const through = found.ack_floor?.stream_seq ?? 0;
  if (through > 0) {
    const done = { filter: names.limitedSubject(method), seq: through + 1 };
    await askJetStream(connection, `STREAM.PURGE.${names.tasksStream}`, done);
  }
  await askJetStream(connection, `CONSUMER.DELETE.${names.tasksStream}.${name}`, undefined).catch(absent);
  return true;
}

/** Undefined for a consumer that is not there. */
function absent(error: unknown): undefined {
  if (error instanceof JetStreamFailure && error.code === noSuchConsumer) return undefined;
  throw error;
}

async function ensureStream(connection: NatsConnection, wanted: StreamConfig): Promise<void> {
  const made = await askAgain(connection, `STREAM.CREATE.${wanted.name}`, wanted).catch(async (error: unknown) => {
    if (!(error instanceof JetStreamFailure) || error.code !== nameInUse) throw error;
    const found = await askAgain(connection, `STREAM.INFO.${wanted.name}`, undefined);
    if (differences(wanted, found.config).length === 0) return found;
    const [copies, asked] = [replicasOf(found.config), replicasOf(wanted)];
    if (copies > asked)
      throw new Error(
        `the stream ${wanted.name} has ${copies} copies, and this orchestrator would leave ${asked}: start it with --replicas ${copies}. To give copies up on purpose, first do so by hand: nats stream edit ${wanted.name} --replicas ${asked}`,
      );
    return askJetStream(connection, `STREAM.UPDATE.${wanted.name}`, { ...found.config, ...wanted });
  });
  assertAsWanted(`stream ${wanted.name}`, wanted, made.config);
}

function replicasOf(config: object = {}): number {
  return "num_replicas" in config && typeof config.num_replicas === "number" ? config.num_replicas : 1;
}

async function ensureConsumer(connection: NatsConnection, stream: string, wanted: ConsumerConfig): Promise<void> {
  const name = wanted.durable_name;
  const made = await askAgain(connection, `CONSUMER.CREATE.${stream}.${name}.${String(wanted["filter_subject"])}`, {
    stream_name: stream,
    config: { name, ...wanted },
    action: "",
  });
  assertAsWanted(`consumer ${stream}/${name}`, wanted, made.config);
}

/** Servers ignore what they don't know in silence, so what they made is compared with what was asked for. */
function assertAsWanted(what: string, wanted: object, found: object | undefined): void {
  const wrong = differences(wanted, found);
  if (wrong.length === 0) return;
  throw new Error(
    `nats-server did not make the ${what} as asked: ${wrong.join("; ")}. Either the server is too old or another program made it: remove it, or give us a prefix of our own.`,
  );
}

/** Where `found` lacks what `wanted` says; a false, 0 or "" that is left out counts as said. */
export function differences(wanted: unknown, found: unknown, path = ""): readonly string[] {
  if (Array.isArray(wanted)) {
    const items: readonly unknown[] = Array.isArray(found) ? found : [];
    if (items.length !== wanted.length) return [`${path} should have ${wanted.length} entries and has ${items.length}`];
    return wanted.flatMap((item: unknown, index) => differences(item, items[index], `${path}[${index}]`));
  }
  if (typeof wanted === "object" && wanted !== null) {
    const fields = new Map<string, unknown>(typeof found === "object" && found !== null ? Object.entries(found) : []);
    return Object.entries(wanted).flatMap(([name, value]: [string, unknown]) =>
      differences(value, fields.get(name), path === "" ? name : `${path}.${name}`),
    );
  }
  const isSaid = wanted === found || (found === undefined && (wanted === false || wanted === 0 || wanted === ""));
  return isSaid ? [] : [`${path} should be ${JSON.stringify(wanted)} and is ${JSON.stringify(found)}`];
}

function reportDurability(connection: NatsConnection, replicas: number, durableSource: boolean, log: Log): void {
  const version = connection.info?.version ?? "unknown";
  if (replicas === 1) {
    log.info(
      "streams are kept on one node: they survive crashes of every process, and power cuts up to the server's sync_interval",
      {
        replicas,
        natsServer: version,
        remedy: "for more, set sync_interval: 100ms in nats-server, or --replicas 3 on a cluster",
      },
    );
    return;
  }
  log.info("streams are kept on several nodes", { replicas, natsServer: version });
  if (!durableSource) {
    log.warn(
      "timers may stand still for 10 s and more when the leader of their stream dies; nats-server 2.15 mends it",
      {
        natsServer: version,
      },
    );
  }
}

function isAtLeast(connection: NatsConnection, [major, minor]: readonly [number, number]): boolean {
  const [ofMajor = 0, ofMinor = 0] = (connection.info?.version ?? "0.0").split(".").map(Number);
  return ofMajor > major || (ofMajor === major && ofMinor >= minor);
}
