import { DatabaseSync } from "node:sqlite";

/** How long another command may take with the contexts. */
const waitMs = 10_000;

/**
 * Does something while no other process does such a thing for the same file. `work` is synchronous, and so is the wait for the others: a lock of the
 * operating system, by SQLite, which goes with the process that has it, however that ends. The lock file stays, empty. "busy": another one has had it
 * for 10 s; throws what `work` throws, and where the lock file can't be made.
 */
export function whileLocked(file: string, work: () => void, onWait: () => void): "done" | "busy" {
  using database = new DatabaseSync(file, { timeout: 0 });
  // Nothing is ever written: no journal is wanted on disk.
  database.exec("PRAGMA journal_mode = MEMORY");
  if (!isTaken(database)) {
    onWait();
    database.exec(`PRAGMA busy_timeout = ${waitMs}`);
    if (!isTaken(database)) return "busy";
  }
  work();
  return "done";
}

function isTaken(database: DatabaseSync): boolean {
  try {
    database.exec("BEGIN IMMEDIATE");
    return true;
  } catch (error) {
    if (error instanceof Error && "errcode" in error && error.errcode === busy) return false;
    throw error;
  }
}

/** SQLITE_BUSY. */
const busy = 5;
