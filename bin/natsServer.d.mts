/** The versions we run on, in words. */
export const fitVersions: string;
/** The path of a nats-server that fits: found, or fetched into the cache. Throws an Error that says what to do. */
export function ensureNatsServer(options?: { readonly say?: (line: string) => void }): Promise<string>;
/** True for versions that hold the dedupe and security fixes we rest on. */
export function isFit(version: string | undefined): boolean;
/** What `<file> --version` says, as "2.15.1"; undefined when it can't be run. */
export function versionOf(file: string): string | undefined;
