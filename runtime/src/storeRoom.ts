import type { Log } from "./log.ts";

/**
 * Whether streams have room for what is published to them. One that had none is told of once, as an error, and again when it has stored something;
 * one that nobody has tried for a while counts as having room.
 */
export interface StoreRoom extends Disposable {
  /** Some stream has refused a message for want of room, and stored none since. */
  readonly isFull: () => boolean;
  /** A stream has refused a message for that. */
  readonly refused: (stream: string, answer: string) => void;
  readonly stored: (stream: string) => void;
  /** Told when `isFull` has changed. */
  readonly onChange: (listener: () => void) => void;
}

const remedy =
  "make room where nats-server keeps its files, or raise max_file_store or the account's limits; what waits is stored then, and nothing is lost";
/** Whoever has something for a stream tries again sooner than that. */
const forgottenAfterMs = 60_000;

/** All have room until one says otherwise. */
export function openStoreRoom(log: Log): StoreRoom {
  const full = new Map<string, NodeJS.Timeout>();
  const listeners = new Set<() => void>();
  const change = (): void => listeners.forEach((listener) => listener());
  const forget = (stream: string): void => {
    clearTimeout(full.get(stream));
    if (full.delete(stream) && full.size === 0) change();
  };
  return {
    isFull: () => full.size > 0,
    refused: (stream, answer) => {
      const before = full.get(stream);
      const timer = before?.refresh() ?? setTimeout(() => forget(stream), forgottenAfterMs).unref();
      full.set(stream, timer);
      if (before !== undefined) return;
      log.error("NATS has no room to store more", { stream, answer, remedy });
      if (full.size === 1) change();
    },
    stored: (stream) => {
      if (!full.has(stream)) return;
      log.info("NATS stores again what it had no room for", { stream });
      forget(stream);
    },
    onChange: (listener) => void listeners.add(listener),
    [Symbol.dispose]: () => full.forEach((timer) => clearTimeout(timer)),
  };
}
