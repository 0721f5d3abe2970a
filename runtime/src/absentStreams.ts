/**
 * Streams that acknowledge nothing, as for some seconds while another server is elected their leader. Whoever tries again waits here: all are
 * woken by the first acknowledgement, and until then they try in turns, so that many cost hardly more than one.
 */
export interface AbsentStreams {
  /** Does any stream not answer? */
  readonly isAny: () => boolean;
  /** A publish to it was not answered. Waits for the next try: at most `ms`, the less the fewer wait, and no longer than until it answers. */
  readonly untilBack: (stream: string, ms: number, signal: AbortSignal) => Promise<void>;
  /** The stream has acknowledged a message. True when it did not answer before. */
  readonly answered: (stream: string) => boolean;
  /** All may be there again, as after a reconnect: nobody waits any longer. */
  readonly forget: () => void;
}

/** What each of those who wait for a stream adds to the pause between two tries. */
const turnMs = 500;

/** None is absent yet. */
export function toAbsentStreams(): AbsentStreams {
  const absent = new Map<string, Set<() => void>>();
  const wake = (waiting: ReadonlySet<() => void>): void => waiting.forEach((end) => end());
  return {
    isAny: () => absent.size > 0,
    untilBack: (stream, ms, signal) => {
      const waiting = absent.get(stream) ?? new Set();
      absent.set(stream, waiting);
      return new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const end = (): void => {
          clearTimeout(timer);
          waiting.delete(end);
          signal.removeEventListener("abort", end);
          resolve();
        };
        waiting.add(end);
        const timer = setTimeout(end, Math.min(ms, turnMs * waiting.size));
        signal.addEventListener("abort", end, { once: true });
      });
    },
    answered: (stream) => {
      const waiting = absent.get(stream);
      if (waiting === undefined) return false;
      absent.delete(stream);
      wake(waiting);
      return true;
    },
    forget: () => {
      const all = [...absent.values()];
      absent.clear();
      all.forEach(wake);
    },
  };
}
