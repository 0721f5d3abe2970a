/**
 * Where two graphs of plain data differ: a path like "steps.a.frame.scope"; undefined: nowhere. What is shared or goes round in one must in the
 * other; the cost grows with the number of objects, where a comparison of trees would visit shared ones again and again.
 */
export function differenceOf(a: unknown, b: unknown): string | undefined {
  return compare(a, b, "", new Map());
}

function compare(a: unknown, b: unknown, path: string, seen: Map<object, unknown>): string | undefined {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null)
    return Object.is(a, b) ? undefined : path;
  if (seen.has(a)) return seen.get(a) === b ? undefined : path;
  seen.set(a, b);
  const left = entriesOf(a);
  const right = entriesOf(b);
  if (a.constructor !== b.constructor || left.length !== right.length) return path;
  for (const [i, [name, value]] of left.entries()) {
    const [otherName, other] = right[i] ?? [];
    const at = `${path}.${String(name)}`;
    if (name !== otherName) return at;
    const found = compare(value, other, at, seen);
    if (found !== undefined) return found;
  }
  return undefined;
}

function entriesOf(value: object): readonly (readonly [unknown, unknown])[] {
  if (value instanceof Map) return [...value];
  if (value instanceof Set) return [...value].map((it, i) => [i, it]);
  if (value instanceof Uint8Array) return [["bytes", value.join()]];
  return Object.entries(value)
    .filter(([, it]) => it !== undefined)
    .toSorted(([x], [y]) => (x < y ? -1 : 1));
}
