/** Gives each piece of work a signal that aborts when it has taken too long, or `over` aborts. */
export type Deadlines = () => AbortSignal;

/**
 * Signals that abort `withinMs` after they were asked for, or up to a twentieth sooner: those asked for in that time are one signal. One of its own for each message costs
 * more than to read what is in it, twice: when it is made, and when its time is up.
 */
export function openDeadlines(withinMs: number, over: AbortSignal, now: () => number): Deadlines {
  const spanMs = withinMs / 20;
  let latest: { readonly signal: AbortSignal; readonly untilMs: number } | undefined;
  return () => {
    const nowMs = now();
    if (latest === undefined || nowMs >= latest.untilMs || nowMs < latest.untilMs - spanMs)
      latest = { signal: AbortSignal.any([over, AbortSignal.timeout(withinMs)]), untilMs: nowMs + spanMs };
    return latest.signal;
  };
}
