import { createHash } from "node:crypto";
import type { Schedule } from "../../../proto/gen/sidestep/internal/v1/schedule.ts";
import type { Swapped } from "./ports.ts";

/** A record as it stood when it was read. */
export interface KeptSchedule {
  readonly schedule: Schedule;
  readonly revision: number;
}

/** Schedules, as all orchestrators know them. */
export interface ScheduleStore {
  /** All that this orchestrator has heard of; what others change shows a moment later. */
  all(): readonly KeptSchedule[];
  heard(id: string): KeptSchedule | undefined;
  /** False until all that there were have been heard of. */
  isComplete(): boolean;
  /** From the bucket's leader; undefined: there is none, and `revision` is what a new one has to expect. Throws when NATS does not answer. */
  read(id: string): Promise<{ readonly schedule: Schedule | undefined; readonly revision: number }>;
  /** Compare-and-set; refused by what is ours already counts as held. One try. */
  write(schedule: Schedule, revision: number): Promise<Swapped>;
  /** The same, of its end. */
  remove(id: string, revision: number): Promise<Swapped>;
  /** Called after each change that is heard of. Returns how to stop that. */
  onChange(listener: () => void): () => void;
}

/** Whose owner keeps a schedule. */
export function partitionOfSchedule(id: string, partitions: number): number {
  return createHash("sha256").update(id).digest().readUInt16BE(0) % partitions;
}

/** By which a start of a nominal time is known: there is one run of it. */
export function scheduleKey(id: string, nominalMs: number): string {
  return `schedule/${id}/${nominalMs}`;
}
