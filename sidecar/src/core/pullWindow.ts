/**
 * How many tasks a service asks for at a time. An idle one asks for few, so that many services can share the slots; one that gets what it
 * asks for doubles up.
 */
export type PullWindow = { readonly size: number };

/** Where a service begins, for a sidecar of so many slots. */
export function firstWindow(concurrency: number): PullWindow {
  return { size: Math.min(Math.max(Math.floor(concurrency / 8), 1), 8) };
}

/** What was asked for has all come. */
export function grown(window: PullWindow, sizeMax: number): PullWindow {
  return { size: Math.min(window.size * 2, Math.max(sizeMax, 1)) };
}

/**
 * How many tasks to ask for now. `outstanding`: asked for and not here yet, by this service; `room`: free slots that nobody has asked
 * for; `free`: free slots. While a slot is free each service may ask for one, even if others have asked for the rest.
 */
export function nextBatch(window: PullWindow, outstanding: number, room: number, free: number): number {
  if (free <= 0 || outstanding > window.size / 2) return 0;
  const batch = Math.min(window.size - outstanding, room);
  return batch > 0 ? batch : outstanding === 0 ? 1 : 0;
}
