import type { Log } from "./log.ts";

/** What main.ts hands over: the process, as far as stopping is concerned. */
export type Stoppable = {
  on(signal: "SIGTERM" | "SIGINT", listener: () => void): unknown;
  exit(code: number): unknown;
};

/**
 * A signal that aborts at the first SIGTERM or SIGINT. The second one ends the process at once with code 1, and so does a shutdown
 * that has not come to its end `graceMs` after the first.
 */
export function shutdownSignal(program: Stoppable, log: Log, graceMs: number): AbortSignal {
  const stop = new AbortController();
  const onSignal = (name: string) => (): void => {
    if (stop.signal.aborted) {
      log.warn("stopping at once", { signal: name });
      program.exit(1);
      return;
    }
    log.info("shutting down", { signal: name, graceMs });
    stop.abort(new Error(`stopped by ${name}`));
    setTimeout(() => {
      log.error("the shutdown took too long", { graceMs });
      program.exit(1);
    }, graceMs).unref();
  };
  program.on("SIGTERM", onSignal("SIGTERM"));
  program.on("SIGINT", onSignal("SIGINT"));
  return stop.signal;
}

/** Waits for something at the end of a program, but not longer than `ms`; false when it was not done by then. */
export async function atMost(ms: number, work: Promise<unknown>): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), ms);
  try {
    return await Promise.race([work.then(() => true), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
