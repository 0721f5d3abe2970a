import type { Span } from "../projection/span.ts";
import type { SpanSink, Told } from "./spanSink.ts";

/** What a person may have to know of an export. */
export type SpanNews =
  /** Told once per outage. */
  | { readonly kind: "away"; readonly message: string }
  | { readonly kind: "back" }
  /** The collector can't take this span; it is lost to it. */
  | { readonly kind: "refused"; readonly message: string; readonly name: string }
  /** The log could not be read again; it is tried once more. */
  | { readonly kind: "unreadable"; readonly partition: number; readonly error: unknown };

/** How to wait, what to tell, when to stop. */
export interface SpanTiming {
  /** Resolves after so many milliseconds, or at once when the signal aborts. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly told: (news: SpanNews) => void;
  readonly signal: AbortSignal;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
}

/** Sends spans, and pauses when that fails. */
export interface SpanSender<T extends Told = Span> {
  /** True: they are out, or never can be. False: a pause is over, try again. */
  send(spans: readonly T[]): Promise<boolean>;
  /** Waits as after a failure. */
  backOff(): Promise<void>;
}

/** A sender to a sink; its pauses double up to a bound and start over at the first success. */
export function toSpanSender<T extends Told>(sink: SpanSink<T>, timing: SpanTiming): SpanSender<T> {
  let isAway = false;
  let backoffMs = timing.backoffMinMs;
  const backOff = async (): Promise<void> => {
    await timing.pause(backoffMs, timing.signal);
    backoffMs = Math.min(timing.backoffMaxMs, backoffMs * 2);
  };
  const send = async (spans: readonly T[]): Promise<boolean> => {
    const answer = await sink.export(spans);
    switch (answer.kind) {
      case "taken":
        if (isAway) timing.told({ kind: "back" });
        isAway = false;
        backoffMs = timing.backoffMinMs;
        return true;
      case "refused": {
        const [only] = spans;
        if (only === undefined || spans.length === 1) {
          timing.told({ kind: "refused", message: answer.message, name: only?.name ?? "" });
          return true;
        }
        const middle = spans.length >> 1;
        return (await send(spans.slice(0, middle))) && (await send(spans.slice(middle)));
      }
      case "away":
        if (!isAway) timing.told({ kind: "away", message: answer.message });
        isAway = true;
        await backOff();
        return false;
    }
  };
  return { send, backOff };
}
