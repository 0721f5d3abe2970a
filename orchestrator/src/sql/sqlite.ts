import { DatabaseSync } from "node:sqlite";
import type { SQLInputValue, StatementSync } from "node:sqlite";
import { RunStoreError } from "../processor/runStore.ts";
import type { Database, Parameter, Query } from "./database.ts";

const statementsMax = 200;

/**
 * A database of node:sqlite in this thread: each statement holds the thread up. `file` empty: a private one without a name, which lives in
 * memory up to its cache's size and in the folder for temporary files beyond it, and is gone when it is closed. Throws RunStoreError.
 */
export function openSqlite(file: string): Database {
  let connection: DatabaseSync;
  try {
    connection = new DatabaseSync(file);
    // What is lost in a power cut comes again from the log; only one at a time may have the file.
    connection.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA cache_size = -16384;");
    if (file !== "")
      connection.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 8000;");
    connection.exec("BEGIN IMMEDIATE; COMMIT;");
  } catch (error) {
    throw toError(error);
  }
  const prepared = new Map<string, StatementSync>();
  const query = (sql: string, parameters: readonly Parameter[] = []): ReturnType<Query> => {
    try {
      let statement = prepared.get(sql);
      if (statement === undefined) {
        if (prepared.size >= statementsMax) prepared.clear();
        statement = connection.prepare(sql);
        prepared.set(sql, statement);
      }
      const bound: Record<string, SQLInputValue> = {};
      for (const [at, value] of parameters.entries()) bound[`$${at + 1}`] = value ?? null;
      return Promise.resolve(statement.all(bound));
    } catch (error) {
      return Promise.reject(toError(error));
    }
  };
  let before: Promise<unknown> = Promise.resolve();
  return {
    dialect: "sqlite",
    query: async (sql, parameters) => {
      await before;
      return query(sql, parameters);
    },
    transaction: (work) => {
      const run = async () => {
        await query("BEGIN IMMEDIATE");
        try {
          const result = await work(query);
          await query("COMMIT");
          return result;
        } catch (error) {
          await query("ROLLBACK").catch(() => undefined);
          throw error;
        }
      };
      const result = before.then(run);
      before = result.catch(() => undefined);
      return result;
    },
    [Symbol.asyncDispose]: async () => {
      await before;
      connection.close();
    },
  };
}

function toError(error: unknown): RunStoreError {
  return new RunStoreError(`SQLite: ${error instanceof Error ? error.message : String(error)}`, error);
}
