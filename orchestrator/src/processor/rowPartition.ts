import type { RunRow } from "../projection/runRow.ts";
import { readRowWindow } from "./rowWindow.ts";
import type { WindowStates } from "./rowWindow.ts";
import type { PruneTimes } from "./runStore.ts";
import type { RowProgress, RowWriterBounds, RowWriterOptions } from "./rowWriting.ts";

/** The rows of one partition on their way into the store. */
export interface RowPartition {
  /** It is owned here from now on: what lies behind the checkpoint will be told. */
  opened(checkpoint: number): void;
  closed(): void;
  /** All turns up to here have been told. */
  toldUpTo(checkpoint: number): void;
  /** `storedMs`: when the record that it adds up to was stored. */
  add(row: RunRow, storedMs: number): void;
  /** Does what is next; true: there is more to do at once. Rejects when the store or the log is away. */
  work(): Promise<boolean>;
  prune(): Promise<void>;
  /** Somebody has begun the rows anew. */
  forget(): void;
  /** Undefined: it is somebody else's. */
  progress(): RowProgress | undefined;
  isSettled(): boolean;
  /** Somebody asks for the rows of all partitions. */
  want(): void;
  /** It is worked on by others, and its rows are not as the log is. */
  isBehindOthers(): boolean;
}

export interface RowPartitionOptions extends RowWriterOptions {
  readonly partition: number;
  readonly bounds: RowWriterBounds;
  readonly signal: AbortSignal;
}

/** Where there is an archive, a row waits this long beyond the retention for its run to be archived. */
const graceMs = 3_600_000;
/** Without rows the cursor goes on this seldom. */
const idleCursorMs = 2_000;
/** Rows removed at one time. */
const removedMax = 1_000;

/** Nothing is known of it yet. */
export function openRowPartition(options: RowPartitionOptions): RowPartition {
  return new Rows(options);
}

/** A cursor that moves; another one takes its place when the rows begin anew. */
interface LiveCursor {
  sequence: number;
  readonly epoch: number;
}

class Rows implements RowPartition {
  readonly #options: RowPartitionOptions;
  readonly #states: WindowStates = new Map();
  /** The latest of each run that waits. */
  readonly #pending = new Map<string, RunRow>();
  #isOwned = false;
  #cursor: LiveCursor | undefined;
  /** What is up to here and behind the cursor has to be read from the log. */
  #gapUpTo = 0;
  /** All turns up to here have been told: they are in the rows that wait, in the store, or in the gap. */
  #told = 0;
  /** Position of the latest row that was told. */
  #added = 0;
  /** When the record of the oldest row that waits was stored, and that of the last one read from the log. */
  #oldestMs: number | undefined;
  #readMs: number | undefined;
  #isWriting = false;
  #lookedMs = 0;
  #checkedMs = 0;
  #wantedMs = 0;
  readonly #openedMs: number;
  #movedMs = 0;
  #head = 0;
  /** Rows of an earlier epoch may still be there. */
  #isRebuilding = false;

  constructor(options: RowPartitionOptions) {
    this.#options = options;
    this.#openedMs = options.now();
  }

  opened(checkpoint: number): void {
    this.#isOwned = true;
    this.#cursor = undefined;
    this.#told = checkpoint;
    this.#added = checkpoint;
    this.#gapUpTo = checkpoint;
  }

  closed(): void {
    this.#isOwned = false;
    this.#cursor = undefined;
    // Its next owner tells them, or the log does.
    this.#pending.clear();
    this.#oldestMs = undefined;
  }

  toldUpTo(checkpoint: number): void {
    this.#told = Math.max(this.#told, checkpoint);
  }

  add(row: RunRow, storedMs: number): void {
    this.#added = Math.max(this.#added, row.sequence);
    if (this.#pending.size >= this.#options.bounds.pendingMax && !this.#pending.has(row.id)) {
      this.#gapUpTo = Math.max(this.#gapUpTo, row.sequence);
      return;
    }
    this.#pending.set(row.id, row);
    this.#oldestMs ??= storedMs;
  }

  forget(): void {
    this.#cursor = undefined;
  }

  want(): void {
    this.#wantedMs = this.#options.now();
  }

  async work(): Promise<boolean> {
    const { store } = this.#options;
    if (!this.#isOwned && !this.#isFollowed()) return false;
    const cursor = (this.#cursor ??= await this.#readCursor());
    if (store.isShared) await this.#check(cursor);
    if (!this.#isOwned) await this.#follow();
    await this.#flush(cursor);
    if (this.#cursor !== cursor) return true;
    if (cursor.sequence < this.#gapUpTo) {
      await this.#readOn(cursor);
      return true;
    }
    this.#readMs = undefined;
    if (this.#isRebuilding) await this.#finish(cursor);
    return this.#isRebuilding;
  }

  async #readCursor(): Promise<LiveCursor> {
    const { store, partition, ground } = this.#options;
    const end = await ground.logOf(partition).end();
    const cursor = await store.cursor(partition, end);
    this.#head = end.lastSequence;
    this.#checkedMs = this.#options.now();
    this.#states.clear();
    // What has been told may have been written into rows that are gone.
    this.#gapUpTo = Math.max(this.#gapUpTo, this.#told, this.#added);
    this.#isRebuilding = cursor.epoch > 1;
    return { ...cursor };
  }

  /** Whether the rows that the cursor speaks of are still there. */
  async #check(cursor: LiveCursor): Promise<void> {
    const { store, partition, ground, bounds, now } = this.#options;
    if (now() - this.#checkedMs < bounds.checkMs) return;
    const found = await store.cursor(partition, await ground.logOf(partition).end());
    this.#checkedMs = now();
    // Of a cursor that has not moved its place says nothing: rows behind a gap are written before it moves.
    const isThere = found.isNew !== true && found.epoch === cursor.epoch && found.sequence >= cursor.sequence;
    if (!isThere && this.#cursor === cursor) this.#cursor = undefined;
  }

  /** Where each orchestrator has all rows, it reads what others work on: as dear as working on it, and so only while somebody looks. */
  #isFollowed(): boolean {
    const { store, bounds, now } = this.#options;
    return !store.isShared && now() - this.#wantedMs < bounds.wantedMs;
  }

  async #follow(): Promise<void> {
    const { partition, ground, bounds, now } = this.#options;
    if (now() - this.#lookedMs < bounds.followMs) return;
    this.#lookedMs = now();
    const { lastSequence } = await ground.logOf(partition).end();
    this.#head = lastSequence;
    if (!this.#isOwned) this.#gapUpTo = Math.max(this.#gapUpTo, lastSequence);
  }

  /** Writes what waits. The cursor moves with the last of it, unless there is a gap before. */
  async #flush(cursor: LiveCursor): Promise<void> {
    const { bounds, now } = this.#options;
    for (let isLast = false; !isLast && this.#cursor === cursor;) {
      const told = this.#told;
      const rows = [...this.#pending.values()].slice(0, bounds.batchMax);
      isLast = rows.length === this.#pending.size;
      const isNext = isLast && this.#isOwned && cursor.sequence >= this.#gapUpTo && told > cursor.sequence;
      if (rows.length === 0 && (!isNext || now() - this.#movedMs < idleCursorMs)) return;
      for (const { id } of rows) this.#pending.delete(id);
      const oldestMs = this.#oldestMs;
      if (isLast) this.#oldestMs = undefined;
      try {
        await this.#write(cursor, rows, isNext ? told : undefined);
      } finally {
        // Not written, for the rows begin anew or the store is away.
        if (this.#isWriting && this.#isOwned) for (const row of rows) this.#putBack(row, oldestMs);
        this.#isWriting = false;
      }
    }
  }

  /** Sets `isWriting`, and leaves it set when nothing was written. */
  async #write(cursor: LiveCursor, rows: readonly RunRow[], upTo: number | undefined): Promise<void> {
    const { store, partition, now } = this.#options;
    this.#isWriting = true;
    const written = await store.write({ partition, epoch: cursor.epoch, upTo, rows });
    if (written === "stale") {
      if (this.#cursor === cursor) this.#cursor = undefined;
      return;
    }
    this.#isWriting = false;
    this.#movedMs = now();
    if (upTo !== undefined) cursor.sequence = upTo;
  }

  #putBack(row: RunRow, storedMs: number | undefined): void {
    if (this.#pending.has(row.id)) return;
    this.add(row, storedMs ?? this.#options.now());
    if (storedMs !== undefined) this.#oldestMs = Math.min(storedMs, this.#oldestMs ?? storedMs);
  }

  /** Reads the next stretch of the gap. */
  async #readOn(cursor: LiveCursor): Promise<void> {
    const { partition, ground, bounds, signal } = this.#options;
    const window = { after: cursor.sequence, upTo: this.#gapUpTo, count: bounds.windowMax };
    const { rows, upTo, storedMs } = await readRowWindow(ground, partition, window, this.#states, signal);
    if (this.#cursor !== cursor) return;
    try {
      await this.#write(cursor, rows, upTo);
      this.#readMs = storedMs ?? this.#readMs;
    } finally {
      this.#isWriting = false;
    }
  }

  async #finish(cursor: LiveCursor): Promise<void> {
    const { store, partition, logger } = this.#options;
    const removed = await store.finish(partition, cursor.epoch, removedMax);
    if (removed === removedMax || this.#cursor !== cursor) return;
    this.#isRebuilding = false;
    logger.debug("the rows of a partition are complete", { partition, upTo: cursor.sequence });
  }

  async prune(): Promise<void> {
    const { store, partition, archiveMs, now } = this.#options;
    if (!this.#isOwned && store.isShared) return;
    const remove = async (graceOrZeroMs: number, keptMs: number, archived: boolean): Promise<void> => {
      const before = this.#pruneTimes(now(), graceOrZeroMs, keptMs);
      while ((await store.prune({ partition, before, archived, limit: removedMax })) >= removedMax);
    };
    if (archiveMs === 0) return remove(0, 0, true);
    await remove(graceMs, 0, false);
    await remove(graceMs, archiveMs, true);
  }

  /** Rows go when the log has dropped their runs, and not before the archive has had them for `keptMs`. */
  #pruneTimes(nowMs: number, laterMs: number, keptMs: number): PruneTimes {
    const { retentionMs, retentionFailedMs = retentionMs } = this.#options;
    const endOf = (ms: number): number => (ms === 0 ? 0 : nowMs - Math.max(ms + laterMs, keptMs));
    return {
      completedMs: endOf(retentionMs),
      failedMs: endOf(retentionFailedMs),
      ownMs: nowMs - laterMs,
      ownEndMs: nowMs - keptMs,
    };
  }

  progress(): RowProgress | undefined {
    const { partition, store, now } = this.#options;
    if (!this.#isOwned && store.isShared) return undefined;
    const position = this.#cursor?.sequence;
    const isCatchingUp = position === undefined || position < this.#gapUpTo || this.#isRebuilding;
    const sinceMs = this.#isOwned ? (isCatchingUp ? this.#readMs : this.#oldestMs) : this.#foreignSinceMs(isCatchingUp);
    return {
      partition,
      position,
      head: Math.max(this.#head, this.#gapUpTo, this.#told),
      lagMs: sinceMs === undefined ? 0 : Math.max(0, now() - sinceMs),
      isCatchingUp: isCatchingUp && (this.#isOwned || this.#isFollowed()),
      isForeign: !this.#isOwned,
    };
  }

  /** The log has not been looked at since then. */
  #foreignSinceMs(isCatchingUp: boolean): number | undefined {
    const { bounds, now } = this.#options;
    if (isCatchingUp && this.#readMs !== undefined) return this.#readMs;
    const lookedMs = Math.max(this.#lookedMs, this.#openedMs);
    return now() - lookedMs > 3 * bounds.followMs ? lookedMs : undefined;
  }

  isBehindOthers(): boolean {
    const { store, bounds, now } = this.#options;
    if (this.#isOwned || store.isShared) return false;
    if (this.#cursor === undefined || now() - this.#lookedMs > 3 * bounds.followMs) return true;
    return this.#cursor.sequence < this.#gapUpTo;
  }

  isSettled(): boolean {
    // What others work on is theirs to settle.
    if (!this.#isOwned) return true;
    if (this.#cursor === undefined || this.#isRebuilding || this.#isWriting) return false;
    return this.#cursor.sequence >= this.#gapUpTo && this.#pending.size === 0;
  }
}
