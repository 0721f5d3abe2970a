/** Whether two states hold the same, deeply; functions that read from them are not compared. */
export function isSameState(a: unknown, b: unknown): boolean {
  return isSame(a, b, new Map());
}

function isSame(a: unknown, b: unknown, seen: Map<object, object>): boolean {
  if (typeof a === "function" && typeof b === "function") return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return Object.is(a, b);
  // States refer back to themselves.
  if (seen.get(a) === b) return true;
  seen.set(a, b);
  if (a instanceof Uint8Array && b instanceof Uint8Array)
    return a.length === b.length && a.every((byte, at) => byte === b[at]);
  if (a instanceof Map && b instanceof Map) return a.size === b.size && isSame([...a], [...b], seen);
  if (a instanceof Set && b instanceof Set) return a.size === b.size && isSame([...a], [...b], seen);
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => isSame(Reflect.get(a, key), Reflect.get(b, key), seen));
}
