import { pause } from "../../runtime/src/pause.ts";

/** So long, in retentions, that many runs are deleted meanwhile, too. */
const retentions = 1.6;

/** Each call waits until the next of `count` disturbances is due: with a retention they are spread evenly, over longer than it; without one they don't wait. */
export function openPace(count: number, retentionMs: number | undefined): () => Promise<void> {
  const startedMs = Date.now();
  let next = 0;
  return async () => {
    next += 1;
    if (retentionMs !== undefined) await pause(startedMs + (next / count) * retentions * retentionMs - Date.now());
  };
}
