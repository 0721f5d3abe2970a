import type { ServerWritableStream } from "@grpc/grpc-js";
import type { RebuildIndexRequest, RebuildIndexResponse } from "../../../proto/gen/sidestep/v1/runs.ts";
import { pause } from "../../../runtime/src/pause.ts";
import type { Closing } from "./closing.ts";
import { toServiceError } from "./failure.ts";
import { indexOff, toPartition } from "./listing.ts";
import type { ListsOptions } from "./listing.ts";

const tellEveryMs = 250;

/** Begins the index anew, and tells how far it is until it is done or the caller leaves. */
export async function rebuildIndex(
  call: ServerWritableStream<RebuildIndexRequest, RebuildIndexResponse>,
  { lists, closing }: ListsOptions & { readonly closing: Closing },
): Promise<void> {
  if (lists === undefined) return void call.emit("error", toServiceError(indexOff));
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  call.on("cancelled", leave);
  const forget = closing.onClose(leave);
  try {
    await lists.rebuild();
    while (!gone.signal.aborted) {
      void lists.ready();
      const progress = lists.progress();
      const isDone = !progress.some(({ isCatchingUp }) => isCatchingUp);
      call.write({ partitions: progress.map(toPartition), done: isDone });
      if (isDone) break;
      await pause(tellEveryMs, gone.signal);
    }
    call.end();
  } finally {
    call.off("cancelled", leave);
    forget();
  }
}
