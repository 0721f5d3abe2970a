/** Who is to be told of a signal's end. */
interface Telling {
  readonly calls: Set<() => void>;
  readonly tell: () => void;
}

/** By their signals. The platform's own listeners are one list, which each new one is compared with: hundreds may share a deadline. */
const tellings = new WeakMap<AbortSignal, Telling>();

/** What `work` yields, or `otherwise` as soon as the signal aborts; the work is not stopped by that. */
export async function unlessAborted<T, U>(signal: AbortSignal, work: Promise<T>, otherwise: U): Promise<T | U> {
  if (signal.aborted) {
    // As when it aborts later: what becomes of the work is nobody's business.
    work.catch(() => undefined);
    return otherwise;
  }
  const aborted = Promise.withResolvers<U>();
  const stop = onceAborted(signal, () => aborted.resolve(otherwise));
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    stop();
  }
}

/** Calls it when the signal aborts, which it has not yet; returns how to have it not called any more. */
export function onceAborted(signal: AbortSignal, call: () => void): () => void {
  const told = tellingOf(signal);
  told.calls.add(call);
  return () => {
    told.calls.delete(call);
    // A signal that is listened to outlives who made it.
    if (told.calls.size > 0) return;
    signal.removeEventListener("abort", told.tell);
    tellings.delete(signal);
  };
}

function tellingOf(signal: AbortSignal): Telling {
  const known = tellings.get(signal);
  if (known !== undefined) return known;
  const calls = new Set<() => void>();
  const telling = { calls, tell: () => calls.forEach((call) => call()) };
  tellings.set(signal, telling);
  signal.addEventListener("abort", telling.tell, { once: true });
  return telling;
}
