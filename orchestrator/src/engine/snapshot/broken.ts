/** Says that bytes are not the snapshot of such a run. */
export function broken(why: string): never {
  throw new Error(`a snapshot is broken: ${why}`);
}

/** What has to be there. */
export function required<T>(part: T | undefined, what: string): T {
  return part === undefined ? broken(`${what} is missing`) : part;
}
