import { Holds } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import type { Publisher } from "../../../runtime/src/publisher.ts";
import type { HoldRecord } from "../processor/ports.ts";
import { readRecord, swapRecord } from "./record.ts";

const key = "holds";

/** The one record of all holds, in the bucket of partitions. */
export function toHoldRecord(nats: Nats, names: Names, publisher: Publisher): HoldRecord {
  const bucket = names.partitionsBucket;
  return {
    read: async () => {
      const found = await readRecord(nats, bucket, key);
      if (found === undefined) return { holds: { hold: [] }, revision: 0 };
      return { holds: found.isGone ? { hold: [] } : Holds.decode(found.value), revision: found.revision };
    },
    write: (holds, revision) =>
      swapRecord(nats, publisher, { bucket, key, value: Holds.encode(holds).finish(), revision }),
  };
}
