import { pause } from "../../runtime/src/pause.ts";
import { lateMs } from "./retained.ts";

/** When something is disturbed. Without a retention nothing waits. */
export interface Pace {
  /** Waits until the next disturbance is due: they are spread evenly, over longer than the retention. */
  readonly untilDue: () => Promise<void>;
  /** Behind the last: what should have gone by then goes. */
  readonly untilCalm: () => Promise<void>;
}

/** So long, in retentions, that many runs are deleted meanwhile, too; and no less than it takes for owners to live long enough to do that. */
const retentions = 1.4;
const spreadMinMs = 5 * 60_000;

export function openPace(count: number, retentionMs: number | undefined): Pace {
  const startedMs = Date.now();
  let next = 0;
  return {
    untilDue: async () => {
      next += 1;
      if (retentionMs === undefined) return;
      const spreadMs = Math.max(retentions * retentionMs, spreadMinMs);
      await pause(Math.max(0, startedMs + (next / count) * spreadMs - Date.now()));
    },
    untilCalm: async () => {
      if (retentionMs !== undefined) await pause(lateMs);
    },
  };
}
