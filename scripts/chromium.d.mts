/** The path of a Chromium. Throws an Error that says what to do. */
export function ensureChromium(options?: { readonly say?: (line: string) => void }): string;
