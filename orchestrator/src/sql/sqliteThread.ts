import { Worker } from "node:worker_threads";
import { RunStoreError } from "../processor/runStore.ts";
import type { StoreCalls } from "./sqlStore.ts";

/** What the thread is asked. Arguments are JSON, which costs this thread less than a copy of objects; bytes go beside it. */
export interface Asked {
  readonly id: number;
  readonly call: keyof StoreCalls;
  readonly args: string;
  readonly bytes: Uint8Array | undefined;
}

/** What it answers: a call's result, or what went wrong. The first one, of id 0, says whether the file could be opened. */
export type Told =
  | { readonly id: number; readonly kind: "done"; readonly result: unknown }
  | { readonly id: number; readonly kind: "failed"; readonly message: string };

/** The file of the thread: beside this one, from sources and in a bundle alike. */
const threadFile = import.meta.url.endsWith(".ts") ? "./sqliteWorker.ts" : "./sqlite-worker.js";
/** How long closing may take; the rows come again from the log. */
const closeMs = 2_000;

/** SQLite in a thread of its own. */
export interface SqliteThread {
  /** Rejects with RunStoreError when the file can't be opened. */
  readonly opened: Promise<unknown>;
  /** May be asked before it is opened. */
  readonly calls: StoreCalls;
  readonly close: () => Promise<void>;
}

/** Starts it; its work holds up nobody else. */
export function openSqliteThread(file: string): SqliteThread {
  const thread = new Worker(new URL(threadFile, import.meta.url), {
    workerData: { file },
    // The flags of the program are measured for its own thread.
    execArgv: ["--disable-warning=ExperimentalWarning"],
    resourceLimits: { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 8 },
  });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let lost: RunStoreError | undefined;
  const lose = (why: string): void => {
    lost = new RunStoreError(`the thread of SQLite ended: ${why}`);
    for (const { reject } of waiting.values()) reject(lost);
    waiting.clear();
  };
  thread.on("message", (told: Told) => {
    const asker = waiting.get(told.id);
    waiting.delete(told.id);
    if (waiting.size === 0) thread.unref();
    if (told.kind === "done") asker?.resolve(told.result);
    else asker?.reject(new RunStoreError(told.message));
  });
  thread.on("error", (error) => lose(error instanceof Error ? error.message : String(error)));
  thread.on("exit", (code) => lose(`exit code ${code}`));
  const wait = (id: number): Promise<unknown> => {
    if (lost !== undefined) return Promise.reject(lost);
    const asker = Promise.withResolvers<unknown>();
    waiting.set(id, asker);
    thread.ref();
    return asker.promise;
  };
  const opened = wait(0);
  opened.catch(() => undefined);
  let last = 0;
  const ask = (call: keyof StoreCalls, args: readonly unknown[], bytes?: Uint8Array): Promise<unknown> => {
    const answered = wait(++last);
    const asked: Asked = { id: last, call, args: JSON.stringify(args), bytes };
    if (lost === undefined) thread.postMessage(asked);
    return answered;
  };
  return {
    opened,
    calls: toCalls(ask),
    close: async () => {
      const ended = new Promise<void>((resolve) => thread.once("exit", () => resolve()));
      thread.postMessage("close");
      const timer = setTimeout(() => void thread.terminate(), closeMs);
      if (lost === undefined) await ended;
      clearTimeout(timer);
    },
  };
}

/** The one place that takes the thread's word for what its answers are: the same code made them. */
function toCalls(
  ask: (call: keyof StoreCalls, args: readonly unknown[], bytes?: Uint8Array) => Promise<unknown>,
): StoreCalls {
  const asking =
    <Name extends keyof StoreCalls>(name: Name) =>
    (...args: Parameters<StoreCalls[Name]>): ReturnType<StoreCalls[Name]> =>
      parseAnswer(ask(name, args));
  return {
    cursor: asking("cursor"),
    write: asking("write"),
    revision: asking("revision"),
    list: asking("list"),
    count: asking("count"),
    incidents: asking("incidents"),
    archived: asking("archived"),
    remove: asking("remove"),
    prune: asking("prune"),
    rebuild: asking("rebuild"),
    finish: asking("finish"),
    archive: (record, history) => parseAnswer(ask("archive", [record], history)),
  };
}

function parseAnswer<T>(answer: Promise<unknown>): T {
  return answer as T;
}
