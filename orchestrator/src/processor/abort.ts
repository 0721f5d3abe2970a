/** What `work` yields, or `otherwise` as soon as the signal aborts; the work is not stopped by that. */
export async function unlessAborted<T, U>(signal: AbortSignal, work: Promise<T>, otherwise: U): Promise<T | U> {
  if (signal.aborted) return otherwise;
  const aborted = Promise.withResolvers<U>();
  const onAbort = (): void => aborted.resolve(otherwise);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
