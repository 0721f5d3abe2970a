/** The folder with `initdb` and `postgres`, and the folders of libraries they need besides the system's. */
export function ensurePostgres(options?: { readonly say?: (line: string) => void }): {
  readonly bin: string;
  readonly libraries: readonly string[];
};
