/** What is known of the records of a bucket, whatever order it is heard in. */
export interface WatchedView<Kept> {
  all(): readonly Kept[];
  heard(key: string): Kept | undefined;
  /** Undefined: the record of this revision is its end. What is no newer than what is known says nothing. */
  hear(key: string, kept: Kept | undefined, revision: number): void;
  /** Called after each change. Returns how to stop that. */
  onChange(listener: () => void): () => void;
}

/** An end that so many others have followed is forgotten: what comes later than that and is older lasts until the bucket is gone through again. */
const endsMax = 1_000;

/** Nothing is known in it. */
export function openWatchedView<Kept extends { readonly revision: number }>(max = endsMax): WatchedView<Kept> {
  const known = new Map<string, Kept>();
  /** Revisions of the latest, oldest first. */
  const ends = new Map<string, number>();
  const listeners = new Set<() => void>();
  return {
    all: () => [...known.values()],
    heard: (key) => known.get(key),
    hear: (key, kept, revision) => {
      const before = known.get(key);
      if (revision <= Math.max(before?.revision ?? 0, ends.get(key) ?? 0)) return;
      ends.delete(key);
      if (kept === undefined) {
        known.delete(key);
        ends.set(key, revision);
        for (const oldest of ends.keys()) {
          if (ends.size <= max) break;
          ends.delete(oldest);
        }
        // All ends are told again when a bucket is gone through.
        if (before === undefined) return;
      } else known.set(key, kept);
      for (const listener of listeners) listener();
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
