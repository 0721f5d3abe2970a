import { growingPause } from "./pause.ts";
import type { Published, Publisher } from "./publisher.ts";

/**
 * Publishes to a stream until the answer is not "retryable", with pauses that grow to 2 s. "retryable" comes back only when `signal` has aborted.
 * The same message id goes out each time, so doubles are dropped. `onRetry` is told each answer that is tried again.
 */
export async function publishDurably(
  publisher: Publisher,
  stream: string,
  subject: string,
  data: Uint8Array,
  headers: string,
  options: { readonly signal: AbortSignal; readonly onRetry?: (answer: Published) => void },
): Promise<Published> {
  // Nearly always the first answer is the last one.
  let nextPauseMs: (() => number) | undefined;
  for (;;) {
    const answer = await publisher.publish(subject, data, headers, stream);
    if (answer.kind !== "retryable" || options.signal.aborted) return answer;
    options.onRetry?.(answer);
    nextPauseMs ??= growingPause(50, 2_000);
    await publisher.pauseFor(stream, answer, nextPauseMs(), options.signal);
  }
}
