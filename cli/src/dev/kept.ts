import { startChild } from "./child.ts";
import type { Child, ChildOptions } from "./child.ts";

/** A program that is to run as long as we do. */
export interface KeptOptions extends Omit<ChildOptions, "onLine"> {
  readonly onLine: (line: string) => void;
  /** The line that says that it is up; undefined: it is when it has been started. */
  readonly isReady?: (line: string) => boolean;
  /** It has ended unasked, and is started again after the pause; with its last lines. */
  readonly fell: (how: string, againMs: number, last: readonly string[]) => void;
  /** What it stands on, in a word: when this is another one than at its start, it is started again at once. */
  readonly standsOn?: () => string;
  /** How long it may take to end when it is asked to. */
  readonly graceMs: number;
}

/** Leaving the scope ends it. */
export interface Kept extends AsyncDisposable {
  /** Resolves when it is up for the first time; rejects when it ends before that, with its last lines. */
  readonly ready: Promise<void>;
}

const pauseMinMs = 250;
const pauseMaxMs = 15_000;
/** Who has run for so long fell for another reason. */
const soundAfterMs = 10_000;
/** Node says what it misses, and then some twenty lines more. */
const linesKept = 50;
const linesShown = 15;
const lookEveryMs = 250;

/** Starts it, and starts it again when it ends, with growing pauses; one that was never up is not started again. */
export function keepRunning(options: KeptOptions): Kept {
  const { onLine, isReady, fell, standsOn, graceMs } = options;
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => undefined);
  let isUp = isReady === undefined;
  if (isUp) ready.resolve();
  let child: Child | undefined;
  const stopping = new AbortController();
  const live = async (): Promise<void> => {
    let pauseMs = pauseMinMs;
    while (!stopping.signal.aborted) {
      const last: string[] = [];
      const startedAt = performance.now();
      const stood = standsOn?.();
      child = startChild({
        ...options,
        onLine: (line) => {
          last.push(line);
          if (last.length > linesKept) last.shift();
          if (isReady?.(line) === true) {
            isUp = true;
            ready.resolve();
          }
          onLine(line);
        },
      });
      const { how } = await child.ended;
      if (stopping.signal.aborted) return;
      if (!isUp) return ready.reject(new Error([`it ${how}`, ...last.slice(-linesShown)].join("\n  ")));
      if (performance.now() - startedAt > soundAfterMs) pauseMs = pauseMinMs;
      fell(how, pauseMs, last);
      const isOther = await rest(pauseMs, () => standsOn?.() !== stood, stopping.signal);
      pauseMs = isOther ? pauseMinMs : Math.min(pauseMaxMs, pauseMs * 2);
    }
  };
  const living = live();
  return {
    ready: ready.promise,
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await child?.stop(graceMs);
      await living;
    },
  };
}

/** For so long, or until something is other than it was: true then. */
async function rest(ms: number, isOther: () => boolean, signal: AbortSignal): Promise<boolean> {
  for (let left = ms; left > 0 && !signal.aborted; left -= lookEveryMs) {
    if (isOther()) return true;
    await passed(Math.min(left, lookEveryMs), signal);
  }
  return isOther();
}

/** Resolves after `ms`, or when the signal aborts. */
export function passed(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      "abort",
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
