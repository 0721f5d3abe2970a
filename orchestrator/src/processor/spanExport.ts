import type { Span } from "../projection/span.ts";
import { openSpanQueue } from "./spanQueue.ts";
import type { Gap, SpanQueue } from "./spanQueue.ts";
import { toSpanSender } from "./spanSender.ts";
import type { SpanNews, SpanSender, SpanTiming } from "./spanSender.ts";
import type { SpanSink, Told } from "./spanSink.ts";

/** Reads the log of a partition in (after, upTo] again and yields what is told of each event there, from fresh states. */
export type Reproject<T = Span> = (partition: number, window: Gap, signal: AbortSignal) => Promise<readonly T[]>;

/** What an export needs of the world. */
export interface SpanExportOptions<T extends Told = Span> {
  readonly sink: SpanSink<T>;
  readonly reproject: Reproject<T>;
  readonly told: (news: SpanNews) => void;
  readonly pause: SpanTiming["pause"];
  readonly bounds?: Partial<SpanExportBounds>;
}

export interface SpanExportBounds {
  /** Spans in memory; more are read from the log again once the collector takes spans. */
  readonly pendingMax: number;
  readonly batchMax: number;
  /** How long the first span of a batch waits for company. */
  readonly lingerMs: number;
  /** Events read again at one time. */
  readonly windowMax: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
  /** How long leaving the scope waits for an export under way. */
  readonly stopMs: number;
}

export const spanExportBounds: SpanExportBounds = {
  pendingMax: 20_000,
  batchMax: 512,
  lingerMs: 250,
  windowMax: 2_000,
  backoffMinMs: 500,
  backoffMaxMs: 30_000,
  stopMs: 1_000,
};

/**
 * Sends spans, or what else is told of turns, out in the order in which they came, never holding up who adds them. While the collector is away the cursor stands still;
 * what does not fit in memory then is projected from the log again later.
 */
export interface SpanExport<T = Span> extends AsyncDisposable {
  /** A partition is owned from now on; what its cursor left behind the checkpoint is projected from the log. */
  opened(partition: number, position: { readonly traced: number; readonly checkpoint: number }): void;
  /** Another one owns the partition: what is pending of it is left to that one. */
  closed(partition: number): void;
  add(partition: number, sequence: number, spans: readonly T[]): void;
  /** What a lease may say as `traced` beside this checkpoint: the spans of all events up to there have been taken. */
  tracedUpTo(partition: number, checkpoint: number): number;
  /** Resolves when everything is out, or when the signal aborts: for the last moments of a graceful stop. */
  settled(signal: AbortSignal): Promise<void>;
}

/** Starts exporting; nothing leaves before the first span is added. */
export function openSpanExport<T extends Told>(options: SpanExportOptions<T>): SpanExport<T> {
  const bounds = { ...spanExportBounds, ...options.bounds };
  const stop = new AbortController();
  const queue = openSpanQueue<T>(bounds.pendingMax);
  const sender = toSpanSender(options.sink, {
    ...bounds,
    pause: options.pause,
    told: options.told,
    signal: stop.signal,
  });
  const bell = toBell(stop.signal);
  const work = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      if (isIdle(queue)) {
        await bell.rung();
        await options.pause(bounds.lingerMs, bell.hurry());
        continue;
      }
      await sendPending(queue, sender, bounds.batchMax);
      await closeGap(queue, sender, options, bounds, stop.signal);
      if (isIdle(queue)) bell.tellSettled();
    }
  };
  const worked = work();
  return {
    opened: (partition, position) => {
      queue.opened(partition, position);
      bell.ring();
    },
    closed: (partition) => queue.closed(partition),
    add: (partition, sequence, spans) => {
      if (spans.length === 0) return;
      queue.add({ partition, sequence, spans });
      bell.ring();
    },
    tracedUpTo: (partition, checkpoint) => queue.tracedUpTo(partition, checkpoint),
    settled: (signal) => (isIdle(queue) ? Promise.resolve() : bell.settled(signal)),
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await Promise.race([worked, options.pause(bounds.stopMs, new AbortController().signal)]);
    },
  };
}

function isIdle(queue: Pick<SpanQueue, "size" | "gap">): boolean {
  return queue.size() === 0 && queue.gap() === undefined;
}

async function sendPending<T extends Told>(
  queue: SpanQueue<T>,
  sender: SpanSender<T>,
  batchMax: number,
): Promise<void> {
  const batch = queue.batch(batchMax);
  if (batch.length > 0 && (await sender.send(batch.flatMap((entry) => entry.spans)))) queue.done(batch);
}

/** Closes one window of a gap. When that fails it is tried again from its start: equal spans go out then. */
async function closeGap<T extends Told>(
  queue: SpanQueue<T>,
  sender: SpanSender<T>,
  options: SpanExportOptions<T>,
  bounds: SpanExportBounds,
  signal: AbortSignal,
): Promise<void> {
  const next = queue.gap();
  if (next === undefined) return;
  const { partition, gap } = next;
  const window = { after: gap.after, upTo: Math.min(gap.upTo, gap.after + bounds.windowMax) };
  let found: readonly T[];
  try {
    found = await options.reproject(partition, window, signal);
  } catch (error) {
    if (!signal.aborted) options.told({ kind: "unreadable", partition, error });
    return sender.backOff();
  }
  for (let sent = 0; sent < found.length; sent += bounds.batchMax) {
    if (!(await sender.send(found.slice(sent, sent + bounds.batchMax)))) return;
  }
  queue.narrow(partition, window);
}

/** Wakes the loop when there is work, and those who wait for its end. */
interface Bell {
  ring(): void;
  /** Resolves when it has rung since the last time, or at the stop. */
  rung(): Promise<void>;
  /** Aborts when nobody should linger: at the stop, or while somebody waits for the end. */
  hurry(): AbortSignal;
  settled(signal: AbortSignal): Promise<void>;
  tellSettled(): void;
}

function toBell(stop: AbortSignal): Bell {
  let next = Promise.withResolvers<void>();
  let linger = new AbortController();
  const waiting = new Set<() => void>();
  const hasten = (): void => {
    next.resolve();
    linger.abort();
  };
  stop.addEventListener("abort", hasten);
  return {
    ring: () => next.resolve(),
    rung: async () => {
      await next.promise;
      next = Promise.withResolvers<void>();
    },
    hurry: () => {
      if (!stop.aborted && waiting.size === 0) linger = new AbortController();
      return linger.signal;
    },
    settled: async (signal) => {
      if (signal.aborted) return;
      const done = Promise.withResolvers<void>();
      const finish = (): void => done.resolve();
      waiting.add(finish);
      signal.addEventListener("abort", finish, { once: true });
      hasten();
      await done.promise;
      waiting.delete(finish);
    },
    tellSettled: () => waiting.forEach((finish) => finish()),
  };
}
