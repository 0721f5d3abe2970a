import { growingPause, pause } from "../../../runtime/src/pause.ts";
import { LostPayload } from "./loading.ts";
import type { Ground } from "./ownership.ts";

const pauseFirstMs = 50;
const pauseMaxMs = 2000;

/** Repeats what fails while NATS does not answer, with growing pauses; throws once the partition is left. */
export async function untilRead<T>(
  ground: Pick<Ground, "signal" | "logger">,
  what: string,
  read: () => Promise<T>,
): Promise<T> {
  const nextPauseMs = growingPause(pauseFirstMs, pauseMaxMs);
  for (;;) {
    try {
      return await read();
    } catch (error) {
      ground.signal.throwIfAborted();
      if (error instanceof LostPayload) throw error;
      ground.logger.warn("a read is tried again", { what, error });
      await pause(nextPauseMs(), ground.signal);
      ground.signal.throwIfAborted();
    }
  }
}
