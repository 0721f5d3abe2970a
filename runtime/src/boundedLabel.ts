/** What stands in place of values beyond the bound. */
export const otherLabel = "other";

/** Values of a label, the first `max` as they are and all further ones as "other": what callers name must not fill the memory of who measures. */
export function boundedLabel(max = 500): (value: string) => string {
  const known = new Set<string>();
  return (value) => {
    if (known.has(value)) return value;
    if (known.size >= max) return otherLabel;
    known.add(value);
    return value;
  };
}
