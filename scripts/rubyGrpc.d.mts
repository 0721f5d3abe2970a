/** The path of a Ruby that has the gem grpc: found, or unpacked into the cache. Throws an Error that says what to do. */
export function ensureRuby(options?: { readonly say?: (line: string) => void }): string;
