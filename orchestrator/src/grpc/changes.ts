import type { ServerWritableStream } from "@grpc/grpc-js";
import type { WatchIndexRequest, WatchIndexResponse } from "../../../proto/gen/sidestep/v1/runs.ts";
import { code } from "../../../proto/wire/status.ts";
import { pause } from "../../../runtime/src/pause.ts";
import type { Closing } from "./closing.ts";
import { toServiceError } from "./failure.ts";
import { indexOff, lagOf } from "./listing.ts";
import type { ListsOptions, RunLists } from "./listing.ts";

/** The index is looked at as often, for all who watch together. */
const lookMs = 1_000;

/** One look at the index for all who watch it. */
export interface IndexWatch {
  /** Tells the caller of each change, until it leaves. */
  follow(call: ServerWritableStream<WatchIndexRequest, WatchIndexResponse>): void;
}

/** Looks at nothing while nobody watches. */
export function openIndexWatch(
  { lists, closing }: ListsOptions & { readonly closing: Closing },
  everyMs: number = lookMs,
): IndexWatch {
  const watchers = new Set<() => void>();
  let revision = 0;
  let isLooking = false;
  const look = async (open: RunLists): Promise<void> => {
    isLooking = true;
    let known: string | undefined;
    while (watchers.size > 0) {
      // A store that is away has not changed, as far as anybody can see.
      const found = await lookAt(open).catch(() => known);
      if (known !== undefined && found !== known) {
        revision += 1;
        for (const tell of watchers) tell();
      }
      known = found;
      await pause(everyMs);
    }
    isLooking = false;
  };
  return {
    follow: (call) => {
      if (lists === undefined) return void call.emit("error", toServiceError(indexOff));
      let isFull = false;
      const tell = (): void => {
        // Whoever does not read hears of it once it does: the number is all there is.
        if (!isFull) isFull = !call.write({ revision: BigInt(revision), lag: lagOf(lists) });
      };
      const leave = (): void => void watchers.delete(tell);
      const forget = closing.onClose(() => {
        leave();
        call.emit("error", toServiceError(shuttingDown));
      });
      call.on("drain", () => {
        if (isFull) {
          isFull = false;
          tell();
        }
      });
      call.on("cancelled", () => {
        leave();
        forget();
      });
      watchers.add(tell);
      tell();
      if (!isLooking) void look(lists);
    },
  };
}

/** The rows of partitions that others work on come when somebody asks for them. */
async function lookAt(lists: RunLists): Promise<string> {
  await lists.ready();
  return lists.store.revision();
}

const shuttingDown = {
  code: code.UNAVAILABLE,
  message: "this orchestrator shuts down: watch the index again",
  reason: "SHUTTING_DOWN",
};
