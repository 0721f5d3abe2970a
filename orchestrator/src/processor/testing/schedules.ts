import type { Schedule } from "../../../../proto/gen/sidestep/internal/v1/schedule.ts";
import type { KeptSchedule, ScheduleStore } from "../scheduleStore.ts";

/** A bucket of schedules in memory. */
export function fakeScheduleStore(): ScheduleStore & {
  /** Called before each write; what it throws is what NATS says. */
  onWrite: (schedule: Schedule) => void;
} {
  const kept = new Map<string, KeptSchedule>();
  const gone = new Map<string, number>();
  const listeners = new Set<() => void>();
  let last = 0;
  const tell = (): void => listeners.forEach((listener) => listener());
  const revisionOf = (id: string): number => kept.get(id)?.revision ?? gone.get(id) ?? 0;
  const nothing: (schedule: Schedule) => void = () => undefined;
  const store = {
    onWrite: nothing,
    all: () => [...kept.values()],
    heard: (id: string) => kept.get(id),
    isComplete: () => true,
    read: (id: string) => Promise.resolve({ schedule: kept.get(id)?.schedule, revision: revisionOf(id) }),
    write: (schedule: Schedule, revision: number) => {
      store.onWrite(schedule);
      if (revisionOf(schedule.id) !== revision) return Promise.resolve({ kind: "refused" as const });
      kept.set(schedule.id, { schedule, revision: ++last });
      tell();
      return Promise.resolve({ kind: "held" as const, revision: last });
    },
    remove: (id: string, revision: number) => {
      if (revisionOf(id) !== revision) return Promise.resolve({ kind: "refused" as const });
      kept.delete(id);
      gone.set(id, ++last);
      tell();
      return Promise.resolve({ kind: "held" as const, revision: last });
    },
    onChange: (listener: () => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  return store;
}
