import type { Layouts } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { openPublisher } from "../../../runtime/src/publisher.ts";
import { openStoreRoom } from "../../../runtime/src/storeRoom.ts";
import type { StoreRoom } from "../../../runtime/src/storeRoom.ts";
import { partitionCount } from "../../../proto/wire/layout.ts";
import type { AuditStore } from "../processor/auditStore.ts";
import type { BulkRecord } from "../processor/ports.ts";
import type { Ports } from "../processor/processor.ts";
import { toAuditStore } from "./auditStore.ts";
import { agreeOnLayouts, agreeOnSecret } from "./cluster.ts";
import { toBulkRecord } from "./bulkRecord.ts";
import type { EventStreams, ParkedStore } from "../processor/eventStreams.ts";
import type { TriggerStore } from "../processor/triggerStore.ts";
import { openDirectGets } from "./directGet.ts";
import { toEventStreams } from "./eventStreams.ts";
import { toHoldRecord } from "./holdRecord.ts";
import { untilAnswered } from "./jetstream.ts";
import { toBeats, toKeys, toLeases } from "./leases.ts";
import { openLimits } from "./limits.ts";
import type { Limits } from "./limits.ts";
import type { ScheduleStore } from "../processor/scheduleStore.ts";
import { openLoneStreams } from "./loneStreams.ts";
import { toMembers } from "./members.ts";
import { toMessages } from "./messages.ts";
import { toPartitionLog } from "./partitionLog.ts";
import { toParkedStore } from "./parkedStore.ts";
import { toRunPayloads } from "./payloads.ts";
import { toControl, toQuestions } from "./questions.ts";
import { openScheduleStore } from "./scheduleStore.ts";
import { toTasks } from "./tasks.ts";
import { toTimers } from "./timers.ts";
import { ensurePartitionsBucket, ensureTopology } from "./topology.ts";
import { openTriggerStore } from "./triggerStore.ts";
import { openWriter } from "./write.ts";

export interface AttachOptions {
  readonly nats: Nats;
  readonly names: Names;
  /** How many partitions a cluster that is new gets. */
  readonly partitions: number;
  readonly replicas: number;
  readonly auditRetentionMs?: number;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Everything of ours on a NATS server. */
export interface Attached extends Disposable {
  readonly layouts: Layouts;
  /** What tokens are made of when no file says otherwise. */
  readonly secret: Uint8Array;
  readonly ports: Ports;
  /** Whether its streams have room for more. */
  readonly room: StoreRoom;
  readonly limits: Limits;
  readonly bulkRecord: BulkRecord;
  readonly audit: AuditStore;
  readonly schedules: ScheduleStore;
  readonly events: {
    readonly store: TriggerStore;
    readonly streams: EventStreams;
    readonly parked: ParkedStore;
  };
}

/** Makes or verifies streams and buckets and opens the processor's ports on them. Throws for a server that can't carry us. */
export async function attach({ nats, names, partitions, log, signal, ...streams }: AttachOptions): Promise<Attached> {
  const { connection } = nats;
  const topology = { names, ...streams };
  const room = openStoreRoom(log);
  const publisher = openPublisher(connection, { room });
  const cluster = { nats, names, publisher };
  await untilAnswered(() => ensurePartitionsBucket(connection, topology), signal);
  const [layouts, secret] = await Promise.all([
    agreeOnLayouts(cluster, partitions, signal),
    agreeOnSecret(cluster, signal),
  ]);
  await untilAnswered(() => ensureTopology(connection, topology, partitionCount(layouts), log), signal);
  const writer = openWriter(nats, publisher);
  const loneStreams = openLoneStreams(nats, Date.now);
  const directGets = openDirectGets(nats, loneStreams);
  const access = { nats, names, writer, directGets, loneStreams, log };
  const limits = openLimits({ nats, names, publisher, log, now: Date.now });
  return {
    layouts,
    secret,
    room,
    limits,
    bulkRecord: toBulkRecord(nats, names, publisher),
    audit: toAuditStore(nats, names, publisher, log),
    schedules: openScheduleStore({ nats, bucket: names.schedulesBucket, publisher, log, signal }),
    events: {
      store: openTriggerStore({ nats, bucket: names.triggersBucket, publisher, log, signal }),
      streams: toEventStreams({ ...cluster, replicas: streams.replicas, log }),
      parked: toParkedStore(nats, names, publisher),
    },
    ports: {
      logOf: (partition) => toPartitionLog(access, partition),
      tasks: toTasks(names, writer, limits.isLimited),
      timers: toTimers(nats, names, writer),
      messages: toMessages(nats, names, publisher),
      control: toControl(nats, names),
      leases: toLeases(nats, names, publisher),
      beats: toBeats(nats, names),
      members: toMembers(nats, names, publisher),
      payloads: toRunPayloads(nats, names, publisher),
      keys: toKeys(nats, names, publisher),
      holds: toHoldRecord(nats, names, publisher),
      questions: toQuestions(nats, names, log),
      hearsSinceMs: () => (nats.isConnected() ? nats.connectedAtMs() : undefined),
    },
    [Symbol.dispose]: () => {
      limits[Symbol.dispose]();
      loneStreams[Symbol.dispose]();
      directGets[Symbol.dispose]();
      publisher[Symbol.dispose]();
      room[Symbol.dispose]();
    },
  };
}
