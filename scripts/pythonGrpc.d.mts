/** The path of a Python 3 with grpcio. Throws an Error that says what to do. */
export function ensurePython(options?: { readonly say?: (line: string) => void }): string;
