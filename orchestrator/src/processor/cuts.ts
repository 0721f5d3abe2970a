import type { RunId } from "../../../proto/wire/runId.ts";
import type { Cut, Cuts } from "./cut.ts";
import type { Ground } from "./ownership.ts";

/** More wait for the next time that their run is loaded. */
const waitingMax = 10_000;
/** In one sweep. */
const cutsMax = 20;

/**
 * Nothing waits to be cut yet. Only when the lease itself says that a Snapshot is behind the checkpoint is what it sums up removed: the next
 * owner, whoever it is, folds from there or from before, and finds all that it needs.
 */
export function openCuts(ground: Ground): Cuts {
  const waiting = new Map<RunId, Cut>();
  let isCutting = false;
  const cutSome = async (): Promise<void> => {
    let left = cutsMax;
    for (const [runId, cut] of waiting) {
      if (left <= 0 || ground.signal.aborted || !ground.isLive()) return;
      if (cut.position > ground.durable()) continue;
      left--;
      await ground.log.cut(runId, cut.through);
      ground.counts.cuts++;
      if (waiting.get(runId) === cut) waiting.delete(runId);
    }
  };
  return {
    add: (runId, cut) => {
      if (waiting.size < waitingMax || waiting.has(runId)) waiting.set(runId, cut);
    },
    sweep: () => {
      if (isCutting || waiting.size === 0) return;
      isCutting = true;
      cutSome()
        .catch((error: unknown) => ground.logger.warn("history can't be cut now", { waiting: waiting.size, error }))
        .finally(() => (isCutting = false));
    },
  };
}
