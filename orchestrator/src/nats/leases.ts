import { KeyRecord, Lease } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { growingPause } from "../../../runtime/src/pause.ts";
import { timedOut } from "../../../runtime/src/publishAnswer.ts";
import type { Publisher } from "../../../runtime/src/publisher.ts";
import type { Beats, HeldKey, Keys, Leases } from "../processor/ports.ts";
import { askJetStream } from "./jetstream.ts";
import { readRecord, swapRecord } from "./record.ts";
import type { BucketRecord } from "./record.ts";

/** Leases in the bucket of partitions. */
export function toLeases(nats: Nats, names: Names, publisher: Publisher): Leases {
  const bucket = names.partitionsBucket;
  return {
    read: async (partition) => {
      const found = await readRecord(nats, bucket, String(partition));
      if (found === undefined || found.isGone) return undefined;
      return { lease: Lease.decode(found.value), revision: found.revision };
    },
    write: (partition, lease, revision) =>
      swapRecord(nats, publisher, { bucket, key: String(partition), value: Lease.encode(lease).finish(), revision }),
  };
}

/** Keys in their bucket, addressed by bucket of the run id and hash of workflow and key. */
export function toKeys(nats: Nats, names: Names, publisher: Publisher): Keys {
  const bucket = names.keysBucket;
  return {
    read: async (place, hash) => toHeldKey(await readRecord(nats, bucket, `${place}.${hash}`)),
    take: async (place, hash, record, revision, signal) => {
      const value = KeyRecord.encode(record).finish();
      const nextPauseMs = growingPause(50, 1000);
      while (!signal.aborted) {
        const swapped = await swapRecord(nats, publisher, { bucket, key: `${place}.${hash}`, value, revision });
        if (swapped.kind === "held") return { kind: "stored" };
        if (swapped.kind === "refused") return { kind: "held", held: toHeldKey(swapped.stands) };
        await publisher.pauseFor(`KV_${bucket}`, timedOut, nextPauseMs(), signal);
      }
      return { kind: "abandoned" };
    },
    free: async (place, hash, revision) => {
      const filter = `$KV.${bucket}.${place}.${hash}`;
      await askJetStream(nats.connection, `STREAM.PURGE.KV_${bucket}`, { filter, seq: revision + 1 });
    },
  };
}

function toHeldKey(found: BucketRecord | undefined): HeldKey | undefined {
  if (found === undefined || found.isGone) return undefined;
  return { record: KeyRecord.decode(found.value), revision: found.revision, storedMs: found.storedMs };
}

const releaseSign = "released";

/** Life signs as plain messages. */
export function toBeats(nats: Nats, names: Names): Beats {
  const { connection } = nats;
  let last: string | undefined;
  const send = (orchestrator: string, sign: string): void => {
    if (nats.isConnected()) connection.publish(names.beatSubject(orchestrator), sign);
  };
  return {
    beat: (orchestrator) => {
      last = orchestrator;
      send(orchestrator, "");
    },
    released: (orchestrator) => send(orchestrator, releaseSign),
    listen: (onBeat) => {
      const subscription = connection.subscribe(names.beats(), {
        callback: (error, message) => {
          if (error !== null) return;
          onBeat(
            message.subject.slice(message.subject.lastIndexOf(".") + 1),
            message.data.length === releaseSign.length,
          );
        },
      });
      // Others have missed some already.
      const stop = nats.onReconnect(() => {
        if (last !== undefined) send(last, "");
      });
      return {
        [Symbol.dispose]: () => {
          stop();
          if (!connection.isClosed()) subscription.unsubscribe();
        },
      };
    },
  };
}
