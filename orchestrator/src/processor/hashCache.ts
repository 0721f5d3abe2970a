import { toHex } from "../../../proto/wire/runId.ts";

/**
 * Reads by hash, each once while it is kept; the least recently used go first when there are more than `kept`. What was missing or
 * could not be read is looked for again.
 */
export function openHashCache<Value>(
  kept: number,
  read: (hash: Uint8Array) => Promise<Value | undefined>,
): (hash: Uint8Array) => Promise<Value | undefined> {
  const found = new Map<string, Promise<Value | undefined>>();
  return (hash) => {
    const key = toHex(hash);
    const known = found.get(key);
    found.delete(key);
    const value = known ?? read(hash);
    found.set(key, value);
    if (known === undefined) {
      value.then(
        (one) => one === undefined && found.get(key) === value && found.delete(key),
        () => found.get(key) === value && found.delete(key),
      );
      for (const oldest of found.keys()) {
        if (found.size <= kept) break;
        found.delete(oldest);
      }
    }
    return value;
  };
}
