/** Longer ones are no names, but what somebody sends to fill a memory. */
const lengthMax = 512;

/**
 * What is made of a text, kept for the next time unless the text is long; with `max` of them all are forgotten. For what is asked thousands of times a second of a few
 * texts.
 */
export function remembered<T>(make: (text: string) => T, max = 1_000): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    const made = make(text);
    if (text.length > lengthMax) return made;
    if (known.size >= max) known.clear();
    known.set(text, made);
    return made;
  };
}
