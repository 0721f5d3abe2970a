import type { Bulk } from "../../../proto/gen/sidestep/internal/v1/record.ts";
import { growingPause, pause } from "../../../runtime/src/pause.ts";
import type { BulkRecord } from "./ports.ts";

/** Actions on many runs, as all orchestrators know them. Throws when NATS does not answer. */
export interface BulkStore {
  /** Oldest first. */
  list(): Promise<readonly Bulk[]>;
  /** Replaces them, unless `change` gives undefined; false: others changed them all the time. */
  change(change: (bulks: readonly Bulk[]) => readonly Bulk[] | undefined): Promise<boolean>;
}

const rounds = 8;
/** Those that have ended are forgotten, oldest first, when more are kept. */
export const bulksKeptMax = 50;

/** Over the record; changes are compared and set, again and again while others change it meanwhile. */
export function toBulkStore(record: BulkRecord): BulkStore {
  return {
    list: async () => (await record.read()).bulks,
    change: async (change) => {
      const nextPauseMs = growingPause(20, 500);
      for (let round = 0; round < rounds; round++) {
        const { bulks, revision } = await record.read();
        const after = change(bulks);
        if (after === undefined) return true;
        const swapped = await record.write(withoutOldest(after), revision);
        if (swapped.kind === "held") return true;
        await pause(nextPauseMs());
      }
      return false;
    },
  };
}

function withoutOldest(bulks: readonly Bulk[]): readonly Bulk[] {
  let over = bulks.length - bulksKeptMax;
  return bulks.filter(({ endedMs }) => endedMs === 0 || over-- <= 0);
}
