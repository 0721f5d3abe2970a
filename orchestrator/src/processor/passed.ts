import type { Log } from "../../../runtime/src/log.ts";
import type { PartitionLog } from "./ports.ts";

/** What knowing how far all partitions have come needs. */
export interface PassedOptions {
  readonly logs: readonly PartitionLog[];
  /** How often each log is asked for its end; 0: never, nobody wants to know. */
  readonly everyMs: number;
  readonly logNow: () => number;
  /** What the lease of a partition says of its checkpoint. */
  readonly durableOf: (partition: number) => number | undefined;
  readonly logger: Log;
}

/** How far the work on all partitions has come, as a time. */
export interface Passed extends Disposable {
  /** Log time: what any log has stored before it is behind its durable checkpoint. 0: not known yet. */
  passedMs(this: void): number;
}

/** Where a log ended at some time; once the checkpoint is there, that time has passed. */
interface Mark {
  readonly atMs: number;
  readonly sequence: number;
}

/**
 * A run that others have started, or that waits in their logs, may be asked for again by whoever takes their partitions over: as long as a partition
 * stands still, nothing may be deleted that ended since.
 */
export function openPassed(options: PassedOptions): Passed {
  const { logs, everyMs, logNow, durableOf, logger } = options;
  const marks = new Map<number, Mark>();
  const passed = logs.map(() => 0);
  const look = async (log: PartitionLog, place: number): Promise<void> => {
    const mark = marks.get(place);
    if (mark !== undefined && (durableOf(log.partition) ?? 0) >= mark.sequence) {
      passed[place] = mark.atMs;
      marks.delete(place);
    }
    if (marks.has(place)) return;
    const atMs = logNow();
    marks.set(place, { atMs, sequence: (await log.end()).lastSequence });
  };
  const lookAtAll = (): void => {
    for (const [place, log] of logs.entries()) {
      look(log, place).catch((error: unknown) =>
        logger.debug("the end of a log can't be read now", { partition: log.partition, error }),
      );
    }
  };
  const timer = everyMs === 0 ? undefined : setInterval(lookAtAll, everyMs);
  return {
    passedMs: () => passed.reduce((least, one) => Math.min(least, one), Infinity),
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

/** Often enough for retentions of so long, and for who has asked for a run to be deleted. */
export function markEveryMs(retentionsMs: readonly number[]): number {
  const shortestMs = Math.min(...retentionsMs.filter((ms) => ms > 0), Infinity);
  return Math.min(Math.max(shortestMs / 10, 100), markEveryMaxMs);
}

const markEveryMaxMs = 10_000;
