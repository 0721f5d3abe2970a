import type { Bulk } from "../../proto/gen/sidestep/internal/v1/record.ts";
import { bulkAction_KindFromJSON } from "../../proto/gen/sidestep/v1/runs.ts";
import type { Log } from "../../runtime/src/log.ts";
import type { Layouts } from "../../proto/gen/sidestep/internal/v1/record.ts";
import { partitionCount } from "../../proto/wire/layout.ts";
import { fittingRuns } from "./compile/filter/bulkFilter.ts";
import { parseFilter } from "./compile/filter/parseFilter.ts";
import type { RunFilter } from "./compile/filter/runFilter.ts";
import type { RunLists } from "./grpc/listing.ts";
import type { ShowTrace } from "./grpc/runs.ts";
import { readArchived, toArchive } from "./processor/archive.ts";
import type { Archive } from "./processor/archive.ts";
import type { BulkWorkOptions } from "./processor/bulkWork.ts";
import type { InspectGround } from "./processor/inspect.ts";
import type { TurnObserver } from "./processor/ports.ts";
import { openRowWriter } from "./processor/rowWriter.ts";
import type { RowWriter } from "./processor/rowWriter.ts";
import type { RunStore } from "./processor/runStore.ts";
import type { RunRow } from "./projection/runRow.ts";
import { openRunStore } from "./sql/store.ts";
import type { StorePlace } from "./sql/store.ts";

/** The index of runs: what lists show, and what the log has no more. */
export interface Rows extends AsyncDisposable {
  readonly observer: TurnObserver;
  readonly lists: RunLists;
  readonly store: RunStore;
  /** Undefined: ended runs just go. */
  readonly archive: Archive | undefined;
  /** The runs that an action on many is meant for. */
  readonly nextOf: BulkWorkOptions["next"];
  readonly progress: RowWriter["progress"];
  /** Resolves when all that is told now is in it, or when the signal aborts. */
  settled(signal: AbortSignal): Promise<void>;
}

export interface RowsSettings {
  readonly index: StorePlace | undefined;
  readonly retention: number;
  readonly retentionFailed: number | undefined;
  readonly archive: number;
}

/** How long a list waits for the partitions of other orchestrators; then it shows what is there, and how far that is behind. */
const readyMaxMs = 2_000;

/** Opens it; undefined: it is off. Throws when its file can't be opened, or when an archive would be lost at the end. */
export async function openRows(
  { index, retention, retentionFailed, archive }: RowsSettings,
  ground: InspectGround & { readonly layouts: Layouts; readonly showTrace: ShowTrace },
  logger: Log,
): Promise<Rows | undefined> {
  const isKept = index?.kind === "postgres" || (index?.kind === "sqlite" && index.file !== "");
  if (archive > 0 && !isKept)
    throw new Error("--archive keeps runs that the log has no more: give a file or a PostgreSQL as --index");
  if (index === undefined) return undefined;
  const store = await openRunStore(index);
  const writer = openRowWriter({
    store,
    partitions: partitionCount(ground.layouts),
    ground,
    logger,
    now: Date.now,
    retentionMs: retention,
    retentionFailedMs: retentionFailed,
    archiveMs: archive,
  });
  return {
    observer: writer.observer,
    store,
    lists: {
      store,
      readFilter: parseFilter,
      fitting: fittingRuns,
      progress: () => writer.progress(),
      ready: () => writer.want(AbortSignal.timeout(readyMaxMs)),
      rebuild: () => writer.rebuild(),
      archived: (runId) => readArchived(store, runId),
    },
    archive: archive === 0 ? undefined : toArchive({ ...ground, store, logger }),
    nextOf: (bulk, after, limit) => nextOf({ store, writer }, bulk, after, limit),
    progress: () => writer.progress(),
    settled: (signal) => writer.settled(signal),
    [Symbol.asyncDispose]: async () => {
      await writer[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
    },
  };
}

/** Undefined while runs are missing: whoever took the work over must not pass them by. */
async function nextOf(
  { store, writer }: { readonly store: RunStore; readonly writer: RowWriter },
  bulk: Bulk,
  after: { readonly startedMs: number; readonly id: string },
  limit: number,
): Promise<readonly RunRow[] | undefined> {
  const soon = AbortSignal.timeout(readyMaxMs);
  await writer.want(soon);
  const isBehind = writer.progress().some(({ isCatchingUp, position }) => isCatchingUp || position === undefined);
  if (soon.aborted || isBehind) return undefined;
  const read = parseFilter(bulk.filter, bulk.startedMs);
  // It was read when it began.
  if (read.kind === "wrong") throw new Error(`the filter of ${bulk.id} can't be read: ${read.message}`);
  const filter: RunFilter = { kind: "all", of: [read.filter, fittingRuns(bulkAction_KindFromJSON(bulk.action))] };
  return store.list({ filter, after, limit });
}
