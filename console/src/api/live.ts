import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { refresh, toApiError } from "./ask.ts";
import { stream } from "./call.ts";
import type { ApiError } from "./call.ts";
import { text } from "./json.ts";
import type { Json, JsonObject } from "./json.ts";

/** How the streams of this page stand. */
export type Connection = "idle" | "live" | "connecting";

let open = 0;
let broken = 0;
const watchers = new Set<() => void>();

function count(changes: { readonly open?: number; readonly broken?: number }): void {
  open += changes.open ?? 0;
  broken += changes.broken ?? 0;
  watchers.forEach((changed) => changed());
}

/** Whether what is shown follows the orchestrator, or has lost it. */
export function useConnection(): Connection {
  return useSyncExternalStore(
    (changed) => {
      watchers.add(changed);
      return () => void watchers.delete(changed);
    },
    () => (broken > 0 ? "connecting" : open > 0 ? "live" : "idle"),
  );
}

const pauseMs = { first: 500, most: 10_000 };
/** Codes that another attempt would get again. */
const final: ReadonlySet<string> = new Set([
  "NOT_FOUND",
  "INVALID_ARGUMENT",
  "PERMISSION_DENIED",
  "UNAUTHENTICATED",
  "UNIMPLEMENTED",
  "FAILED_PRECONDITION",
]);

/**
 * The last message of a streaming rpc. A stream that breaks is opened again, after pauses that grow; one that ends is over. Undefined: nothing is
 * followed.
 */
export function useStream(
  method: string | undefined,
  request: Json = {},
): { readonly message: JsonObject | undefined; readonly error: ApiError | undefined } {
  const [state, setState] = useState<{
    readonly key: string;
    readonly message?: JsonObject;
    readonly error?: ApiError;
  }>({ key: "" });
  const asked = JSON.stringify(request);
  const key = `${method ?? ""} ${asked}`;
  useEffect(() => {
    if (method === undefined) return undefined;
    const parsed: Json = JSON.parse(asked);
    return whileShown((signal) =>
      follow(method, parsed, signal, {
        message: (message) => setState({ key, message }),
        failed: (error) => setState((before) => ({ ...(before.key === key ? before : {}), key, error })),
      }),
    );
  }, [method, asked, key]);
  const isOwn = state.key === key;
  return { message: isOwn ? state.message : undefined, error: isOwn ? state.error : undefined };
}

/** Does it while somebody can see the page: a browser has few connections, and the tabs behind need none. Gives how to end it. */
function whileShown(work: (signal: AbortSignal) => Promise<void>): () => void {
  let stop = new AbortController();
  const look = (): void => {
    stop.abort();
    stop = new AbortController();
    if (document.visibilityState !== "hidden") void work(stop.signal);
  };
  document.addEventListener("visibilitychange", look);
  look();
  return () => {
    document.removeEventListener("visibilitychange", look);
    stop.abort();
  };
}

/** A number that changes when the index of runs has: what was listed may have changed. At most one change a second. */
export function useIndexRevision(): string {
  const { message } = useStream("sidestep.v1.Runs/WatchIndex");
  return message === undefined ? "" : `at ${text(message, "revision")}`;
}

/** Asks again what is shown of these rpcs when the index has changed, and not more often than told. */
export function useLiveLists(everyMs: number, methods: readonly string[]): void {
  const revision = useIndexRevision();
  const askedAt = useRef(0);
  const names = methods.join(" ");
  useEffect(() => {
    if (revision === "") return undefined;
    const ask = (): void => {
      askedAt.current = Date.now();
      for (const name of names.split(" ")) refresh(name);
    };
    const timer = setTimeout(ask, Math.max(0, askedAt.current + everyMs - Date.now()));
    return () => clearTimeout(timer);
  }, [revision, names, everyMs]);
}

async function follow(
  method: string,
  request: Json,
  signal: AbortSignal,
  told: { readonly message: (message: JsonObject) => void; readonly failed: (error: ApiError) => void },
): Promise<void> {
  let pause = pauseMs.first;
  for (;;) {
    let isOpen = false;
    try {
      for await (const message of stream(method, request, signal)) {
        if (!isOpen) count({ open: 1 });
        isOpen = true;
        pause = pauseMs.first;
        told.message(message);
      }
      if (isOpen) count({ open: -1 });
      return;
    } catch (error) {
      if (isOpen) count({ open: -1 });
      if (signal.aborted) return;
      const known = toApiError(error);
      if (final.has(known.code)) return told.failed(known);
      count({ broken: 1 });
      await waited(pause, signal);
      count({ broken: -1 });
      if (signal.aborted) return;
      pause = Math.min(pause * 2, pauseMs.most);
    }
  }
}

function waited(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
