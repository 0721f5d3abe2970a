/** The path of a promtool. */
export function ensurePromtool(options?: { readonly say?: (line: string) => void }): string;
