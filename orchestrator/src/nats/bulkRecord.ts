import { Bulks } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import type { Names } from "../../../proto/wire/subjects.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import type { Publisher } from "../../../runtime/src/publisher.ts";
import type { BulkRecord } from "../processor/ports.ts";
import { readRecord, swapRecord } from "./record.ts";

const key = "bulks";

/** The one record of all actions on many runs, in the bucket of partitions. */
export function toBulkRecord(nats: Nats, names: Names, publisher: Publisher): BulkRecord {
  const bucket = names.partitionsBucket;
  return {
    read: async () => {
      const found = await readRecord(nats, bucket, key);
      if (found === undefined) return { bulks: [], revision: 0 };
      return { bulks: found.isGone ? [] : Bulks.decode(found.value).bulk, revision: found.revision };
    },
    write: (bulks, revision) =>
      swapRecord(nats, publisher, { bucket, key, value: Bulks.encode({ bulk: [...bulks] }).finish(), revision }),
  };
}
