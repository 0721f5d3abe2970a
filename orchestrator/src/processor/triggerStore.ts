import type { TriggerRecord } from "../../../proto/gen/sidestep/internal/v1/trigger.ts";
import type { Swapped } from "./ports.ts";

/** A record as it stood when it was read. */
export interface KeptTrigger {
  readonly record: TriggerRecord;
  readonly revision: number;
}

/** Records of the subject triggers, as all orchestrators know them. */
export interface TriggerStore {
  /** All that this orchestrator has heard of; what others change shows a moment later. */
  all(): readonly KeptTrigger[];
  heard(id: string): KeptTrigger | undefined;
  /** False until all that there were have been heard of. */
  isComplete(): boolean;
  /** From the bucket's leader; undefined: there is none, and `revision` is what a new one has to expect. Throws when NATS does not answer. */
  read(id: string): Promise<{ readonly record: TriggerRecord | undefined; readonly revision: number }>;
  /** Compare-and-set; refused by what is ours already counts as held. One try. */
  write(record: TriggerRecord, revision: number): Promise<Swapped>;
  /** The same, of its end. */
  remove(id: string, revision: number): Promise<Swapped>;
  /** Called after each change that is heard of. Returns how to stop that. */
  onChange(listener: () => void): () => void;
}

/** The name of a contract's trigger. */
export function triggerId(workflow: string, trigger: string): string {
  return `${workflow}/${trigger}`;
}

/** Whether its messages are to be taken now. */
export function isTaking({ retiredMs, paused }: TriggerRecord): boolean {
  return retiredMs === undefined && paused === undefined;
}
