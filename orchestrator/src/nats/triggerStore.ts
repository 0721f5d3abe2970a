import { TriggerRecord } from "../../../proto/gen/sidestep/internal/v1/trigger.ts";
import type { KeptTrigger, TriggerStore } from "../processor/triggerStore.ts";
import { openWatchedBucket } from "./watchedBucket.ts";
import type { WatchedBucketGround } from "./watchedBucket.ts";

/** Records of triggers in their bucket; follows what others change until the signal aborts. */
export function openTriggerStore(given: WatchedBucketGround): TriggerStore {
  const encode = (record: TriggerRecord): Uint8Array => TriggerRecord.encode(record).finish();
  const bucket = openWatchedBucket({ ...given, encode, decode, toKept });
  return {
    all: () => bucket.all(),
    heard: (id) => bucket.heard(id),
    isComplete: () => bucket.isComplete(),
    read: async (id) => {
      const { value, revision } = await bucket.read(id);
      return { record: value, revision };
    },
    write: (record, revision) => bucket.write(record.id, record, revision),
    remove: (id, revision) => bucket.remove(id, revision),
    onChange: (listener) => bucket.onChange(listener),
  };
}

function toKept(record: TriggerRecord, revision: number): KeptTrigger {
  return { record, revision };
}

function decode(bytes: Uint8Array): TriggerRecord | undefined {
  try {
    const record = TriggerRecord.decode(bytes);
    return record.id === "" ? undefined : record;
  } catch {
    return undefined;
  }
}
