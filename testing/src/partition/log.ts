import type { LogRecord } from "../../../orchestrator/src/engine/record.ts";
import type { Event } from "../../../proto/gen/sidestep/internal/v1/event.ts";
import type { Outcome } from "../../../proto/gen/sidestep/internal/v1/task.ts";

/** A record of some run. */
export interface StoredRecord {
  readonly runId: string;
  readonly record: LogRecord;
}

/** The log of one partition, in memory: what is in it stays. */
export interface PartitionLog {
  readonly records: readonly StoredRecord[];
  /** The first record of a run. */
  first(runId: string): LogRecord | undefined;
  appendEvent(
    runId: string,
    id: string,
    event: Event["kind"],
    expectedEvent?: number,
  ): "stored" | "doubled" | "conflict";
  appendOutcome(runId: string, id: string, outcome: Outcome): void;
  onAppend(listener: () => void): void;
}

/** The token of every attempt; who forges has another. */
export const goodToken: Uint8Array = Uint8Array.of(1);

/** What a log needs. */
export interface LogGround {
  readonly now: () => number;
  /** Drops what has the id of something that is remembered. */
  readonly isDouble: (id: string) => boolean;
  readonly isAuthentic: (outcome: Outcome) => boolean;
}

/** An empty log. */
export function openLog({ now, isDouble, isAuthentic }: LogGround): PartitionLog {
  const records: StoredRecord[] = [];
  const lastEvent = new Map<string, number>();
  const firsts = new Map<string, LogRecord>();
  const listeners: (() => void)[] = [];
  const append = (runId: string, fact: LogRecord["fact"]): void => {
    const sequence = records.length + 1;
    const record: LogRecord = { sequence, storedMs: now(), fact };
    records.push({ runId, record });
    if (!firsts.has(runId)) firsts.set(runId, record);
    if (fact.kind === "event") lastEvent.set(runId, sequence);
    for (const listener of listeners) listener();
  };
  return {
    records,
    first: (runId) => firsts.get(runId),
    appendEvent(runId, id, event, expectedEvent) {
      if (expectedEvent !== undefined && (lastEvent.get(runId) ?? 0) !== expectedEvent) return "conflict";
      if (isDouble(id)) return "doubled";
      append(runId, { kind: "event", event: { kind: event } });
      return "stored";
    },
    appendOutcome(runId, id, outcome) {
      if (isDouble(id)) return;
      append(runId, { kind: "outcome", outcome, authentic: isAuthentic(outcome) });
    },
    onAppend(listener) {
      listeners.push(listener);
    },
  };
}
