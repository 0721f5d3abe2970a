import { parentPort, workerData } from "node:worker_threads";
import { errorText } from "../../../runtime/src/log.ts";
import type { Database } from "./database.ts";
import { openSqlite } from "./sqlite.ts";
import type { Asked, Told } from "./sqliteThread.ts";
import { toStoreCalls } from "./sqlStore.ts";
import type { StoreCalls } from "./sqlStore.ts";

/** The thread of SQLite: one call after the other, in the order in which they come. */
function serve(file: string): void {
  const tell = (told: Told): void => parentPort?.postMessage(told);
  const database = openSqlite(file);
  const calls = toStoreCalls(database);
  parentPort?.on("message", (asked: Asked | "close") => {
    if (asked === "close") {
      void close(database);
      return;
    }
    const { id } = asked;
    carryOut(calls, asked).then(
      (result) => tell({ id, kind: "done", result }),
      (error: unknown) => tell({ id, kind: "failed", message: errorText(error) }),
    );
  });
  tell({ id: 0, kind: "done", result: undefined });
}

async function close(database: Database): Promise<void> {
  try {
    await database[Symbol.asyncDispose]();
  } finally {
    parentPort?.close();
  }
}

/** The arguments are those that sqliteThread.ts was given. */
function carryOut(calls: StoreCalls, { call, args, bytes }: Asked): Promise<unknown> {
  const given: unknown[] = JSON.parse(args);
  const work = calls[call] as (...all: readonly unknown[]) => Promise<unknown>;
  return work(...given, ...(bytes === undefined ? [] : [bytes]));
}

const given: unknown = workerData;
try {
  serve(typeof given === "object" && given !== null && "file" in given ? String(given.file) : "");
} catch (error) {
  parentPort?.postMessage({ id: 0, kind: "failed", message: errorText(error) } satisfies Told);
}
