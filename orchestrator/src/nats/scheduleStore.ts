import { Schedule } from "../../../proto/gen/sidestep/internal/v1/schedule.ts";
import type { KeptSchedule, ScheduleStore } from "../processor/scheduleStore.ts";
import { openWatchedBucket } from "./watchedBucket.ts";
import type { WatchedBucketGround } from "./watchedBucket.ts";

/** Schedules in their bucket, one record each; follows what others change until the signal aborts. */
export function openScheduleStore(given: WatchedBucketGround): ScheduleStore {
  const encode = (schedule: Schedule): Uint8Array => Schedule.encode(schedule).finish();
  const bucket = openWatchedBucket({ ...given, encode, decode, toKept });
  return {
    all: () => bucket.all(),
    heard: (id) => bucket.heard(id),
    isComplete: () => bucket.isComplete(),
    read: async (id) => {
      const { value, revision } = await bucket.read(id);
      return { schedule: value, revision };
    },
    write: (schedule, revision) => bucket.write(schedule.id, schedule, revision),
    remove: (id, revision) => bucket.remove(id, revision),
    onChange: (listener) => bucket.onChange(listener),
  };
}

function toKept(schedule: Schedule, revision: number): KeptSchedule {
  return { schedule, revision };
}

function decode(bytes: Uint8Array): Schedule | undefined {
  try {
    const schedule = Schedule.decode(bytes);
    return schedule.cron === undefined ? undefined : schedule;
  } catch {
    return undefined;
  }
}
