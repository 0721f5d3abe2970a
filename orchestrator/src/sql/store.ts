import type { RunStore } from "../processor/runStore.ts";
import { openPostgres } from "./postgres.ts";
import { toRecord } from "./record.ts";
import { openSqliteThread } from "./sqliteThread.ts";
import { toStoreCalls } from "./sqlStore.ts";
import type { StoreCalls } from "./sqlStore.ts";

/** Where rows of runs are to be kept. */
export type StorePlace =
  | { readonly kind: "sqlite"; /** Empty: a private database that is gone at the end. */ readonly file: string }
  | { readonly kind: "postgres"; readonly url: string };

/** Opens the tables of runs. Nothing is asked of a PostgreSQL yet; a file that can't be opened is told by an error at once. */
export async function openRunStore(place: StorePlace): Promise<RunStore> {
  if (place.kind === "postgres") {
    const database = await openPostgres(place.url);
    return toStore(toStoreCalls(database), true, "postgres", async () => database[Symbol.asyncDispose]());
  }
  const { opened, calls, close } = openSqliteThread(place.file);
  // Nothing waits for a private one, which there is nothing to say of.
  if (place.file !== "") await opened;
  return toStore(calls, false, place.file === "" ? "sqlite, temporary" : `sqlite ${place.file}`, close);
}

function toStore(calls: StoreCalls, isShared: boolean, description: string, close: () => Promise<void>): RunStore {
  // Cursors move some time after the rows that are behind them; those that are written here are known at once.
  let batches = 0;
  return {
    ...calls,
    isShared,
    description,
    revision: async () => `${batches} ${await calls.revision()}`,
    write: async ({ rows, ...batch }) => {
      const written = await calls.write({
        ...batch,
        records: rows.filter((row) => !row.deleted).map((row) => toRecord(row, batch.epoch)),
        deleted: rows.filter((row) => row.deleted).map(({ id }) => id),
      });
      if (rows.length > 0) batches += 1;
      return written;
    },
    archive: ({ row, history }) => calls.archive(toRecord(row, 0), history),
    [Symbol.asyncDispose]: close,
  };
}
