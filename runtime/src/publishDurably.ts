import { growingPause, pause } from "./pause.ts";
import type { Published, Publisher } from "./publisher.ts";

/**
 * Publishes until the answer is not "retryable", with pauses that grow to 2 s. "retryable" comes back only when `signal` has aborted.
 * The same message id goes out each time, so doubles are dropped. `onRetry` is told each answer that is tried again.
 */
export async function publishDurably(
  publisher: Publisher,
  subject: string,
  data: Uint8Array,
  headers: string,
  options: { readonly signal: AbortSignal; readonly onRetry?: (answer: Published) => void },
): Promise<Published> {
  const nextPauseMs = growingPause(50, 2_000);
  for (;;) {
    const answer = await publisher.publish(subject, data, headers);
    if (answer.kind !== "retryable" || options.signal.aborted) return answer;
    options.onRetry?.(answer);
    await pause(nextPauseMs(), options.signal);
  }
}
