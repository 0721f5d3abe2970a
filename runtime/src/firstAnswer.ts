/** How a question is asked again. */
export interface AskingAgain {
  /** All of it is over after so long. */
  readonly timeoutMs: number;
  readonly everyMs: number;
  /** A failure that does not end it: another answer may still come. */
  readonly mayWait: (error: unknown) => boolean;
}

/**
 * For what may be asked twice: it is asked again now and then while nobody answers, for what was asked of a server that died or stands still is lost,
 * and which server answers the next time is anybody's guess. The first answer counts. `ask` is told how long it may take at most.
 */
export async function firstAnswer<T>(ask: (leftMs: number) => Promise<T>, how: AskingAgain): Promise<T> {
  const { timeoutMs, everyMs, mayWait } = how;
  const untilMs = performance.now() + timeoutMs;
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  let failure: { readonly error: unknown } | undefined;
  const askNow = (): void => {
    const leftMs = Math.max(1, Math.ceil(untilMs - performance.now()));
    ask(leftMs).then(resolve, (error: unknown) => {
      failure = { error };
      if (!mayWait(error) || performance.now() + everyMs > untilMs) reject(error);
    });
  };
  askNow();
  const timer = setInterval(() => {
    if (performance.now() + everyMs / 4 < untilMs) askNow();
    // Nobody else may be there to say so: a busy process comes late, with too little time left to ask again.
    else if (failure !== undefined) reject(failure.error);
  }, everyMs);
  try {
    return await promise;
  } finally {
    clearInterval(timer);
  }
}
