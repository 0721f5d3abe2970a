import { growingPause, pause } from "../../../runtime/src/pause.ts";
import type { RunState } from "../engine/state.ts";
import { rowMark, rowOf } from "../projection/runRow.ts";
import type { RowAttributes } from "../projection/runRow.ts";
import type { TurnObserver } from "./ports.ts";
import { openRowPartition } from "./rowPartition.ts";
import type { RowPartition } from "./rowPartition.ts";
import { rowWriterBounds } from "./rowWriting.ts";
import type { RowProgress, RowWriterBounds, RowWriterOptions } from "./rowWriting.ts";

/**
 * Keeps rows of runs in a store: of the partitions that are owned here by watching their turns, of others, and of what was missed, by reading the
 * log. It never holds up a run: while the store is away or slow the cursor stands still, and what does not fit in memory is read again.
 */
export interface RowWriter extends AsyncDisposable {
  readonly observer: TurnObserver;
  progress(): readonly RowProgress[];
  /** Somebody looks at the rows of all partitions; resolves when those that others work on are here too, or when the signal aborts. */
  want(signal: AbortSignal): Promise<void>;
  /** Begins all rows anew; the old ones stay until theirs are there. Rejects with RunStoreError. */
  rebuild(): Promise<void>;
  /** Resolves when all that is told now is in the store, or when the signal aborts. */
  settled(signal: AbortSignal): Promise<void>;
}

/** Starts it. */
export function openRowWriter(options: RowWriterOptions): RowWriter {
  const bounds = { ...rowWriterBounds, ...options.bounds };
  const stop = new AbortController();
  const { signal } = stop;
  const all = Array.from({ length: options.partitions }, (_, partition) =>
    openRowPartition({ ...options, bounds, partition, signal }),
  );
  const seen = new WeakMap<RunState, { mark: string; readonly attributes: RowAttributes }>();
  const observer: TurnObserver = {
    opened: (partition, { checkpoint }) => all[partition]?.opened(checkpoint),
    closed: (partition) => all[partition]?.closed(),
    tracedUpTo: (partition, checkpoint) => {
      all[partition]?.toldUpTo(checkpoint);
      return checkpoint;
    },
    turn: ({ partition, plan, state }, { storedMs }) => {
      const mark = rowMark(state);
      const before = seen.get(state);
      if (before?.mark === mark) return;
      const row = rowOf(partition, plan, state, before?.attributes);
      if (row === undefined) return;
      const { attributes, numbers } = row;
      if (before === undefined) seen.set(state, { mark, attributes: { attributes, numbers } });
      else before.mark = mark;
      all[partition]?.add(row, storedMs);
    },
  };
  const worked = work(all, options, bounds, signal);
  return {
    observer,
    progress: () => all.flatMap((one) => one.progress() ?? []),
    rebuild: async () => {
      await options.store.rebuild(all.map((_, partition) => partition));
      for (const one of all) one.forget();
    },
    want: async (until) => {
      for (const one of all) one.want();
      while (!until.aborted && !signal.aborted && all.some((one) => one.isBehindOthers())) await pause(20, until);
    },
    settled: async (until) => {
      while (!until.aborted && !signal.aborted && all.some((one) => !one.isSettled())) await pause(20, until);
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await worked;
    },
  };
}

/** Between two tries while the store or the log is away. */
const awayMinMs = 200;
const awayMaxMs = 3_000;

/** One partition after the other, for as long as it is open. */
async function work(
  all: readonly RowPartition[],
  { store, logger, now }: RowWriterOptions,
  bounds: RowWriterBounds,
  signal: AbortSignal,
): Promise<void> {
  let nextPauseMs = growingPause(awayMinMs, awayMaxMs);
  let isAway = false;
  let prunedMs = now();
  while (!signal.aborted) {
    let isBusy = false;
    try {
      for (const one of all) if (await one.work()) isBusy = true;
      if (now() - prunedMs >= bounds.pruneMs) {
        prunedMs = now();
        for (const one of all) await one.prune();
      }
      if (isAway) logger.info("the rows of runs are written again", { store: store.description });
      if (isAway) nextPauseMs = growingPause(awayMinMs, awayMaxMs);
      isAway = false;
    } catch (error) {
      if (signal.aborted) return;
      if (!isAway)
        logger.warn("the rows of runs can't be written now; runs go on, and lists show them later", {
          store: store.description,
          error,
        });
      isAway = true;
      await pause(nextPauseMs(), signal);
      continue;
    }
    // A partition that reads the log goes on at once, but lets others in.
    await pause(isBusy ? 1 : bounds.lingerMs, signal);
  }
}
