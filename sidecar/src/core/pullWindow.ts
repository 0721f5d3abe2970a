/**
 * How many tasks a service asks for at a time. An idle one asks for a single task, so that many services can share few slots; one that
 * gets what it asks for doubles up.
 */
export type PullWindow = { readonly size: number };

export const firstWindow: PullWindow = { size: 1 };

/** A pull was filled to the last task. */
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
