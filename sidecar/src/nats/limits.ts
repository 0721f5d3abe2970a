import type { Names } from "../../../proto/wire/subjects.ts";
import { errorText } from "../../../runtime/src/log.ts";
import type { Log } from "../../../runtime/src/log.ts";
import type { Nats } from "../../../runtime/src/natsConnection.ts";
import { readLimits } from "../core/limit.ts";
import type { Limit } from "../core/limit.ts";
import { readFromBucket } from "./bucket.ts";

/** The limits of methods, as this sidecar has read them last. */
export interface LimitView extends Disposable {
  /** False until they have been read, or NATS has not given them for a while. */
  isKnown(): boolean;
  limits(): readonly Limit[];
  /** Somebody has changed them: reads them now. */
  refresh(): void;
  /** A change may not have been heard: they are not known until they have been read. */
  forget(): void;
}

const readEveryMs = 10_000;
const lookEveryMs = 250;
/** A bucket whose leader is away holds up nobody for longer. */
const unknownMaxMs = 3_000;

/** Reads them on each connection and every 10 s; `onChange` hears of what is new, and of their being known. */
export function openLimitView(nats: Nats, names: Names, log: Log, onChange: () => void): LimitView {
  return new OpenLimitView(nats, names, log, onChange);
}

class OpenLimitView implements LimitView {
  readonly #nats: Nats;
  readonly #names: Names;
  readonly #log: Log;
  readonly #onChange: () => void;
  readonly #stop: readonly (() => void)[];
  #limits: readonly Limit[] = [];
  #revision = 0;
  /** Undefined: known; else since when they are not. */
  #unknownSinceMs: number | undefined = performance.now();
  /** Reads that were asked for, and how many of them the last one has answered. */
  #asked = 0;
  #answered = 0;
  #isReading = false;
  #readMs = 0;

  constructor(nats: Nats, names: Names, log: Log, onChange: () => void) {
    this.#nats = nats;
    this.#names = names;
    this.#log = log;
    this.#onChange = onChange;
    const timer = setInterval(() => this.#watch(), lookEveryMs);
    this.#stop = [
      () => clearInterval(timer),
      nats.onDisconnect(() => this.forget()),
      nats.onReconnect(() => this.forget()),
    ];
    this.refresh();
  }

  isKnown(): boolean {
    return this.#unknownSinceMs === undefined;
  }

  limits(): readonly Limit[] {
    return this.#limits;
  }

  refresh(): void {
    this.#asked += 1;
    void this.#read();
  }

  forget(): void {
    this.#unknownSinceMs = performance.now();
    this.refresh();
  }

  [Symbol.dispose](): void {
    this.#stop.forEach((stop) => stop());
  }

  async #read(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      while (this.#answered < this.#asked && this.#nats.isConnected()) {
        const asked = this.#asked;
        const found = await readFromBucket(this.#nats, this.#names.limitsBucket, { key: "limits" });
        this.#answered = asked;
        this.#readMs = performance.now();
        // One that was asked for before a change may have been heard does not count for it.
        this.#take(found?.value, found?.revision ?? 0, asked === this.#asked);
      }
    } catch (error) {
      this.#log.debug("limits can't be read now", { error: errorText(error) });
    } finally {
      this.#isReading = false;
    }
  }

  #take(value: Uint8Array | undefined, revision: number, isLatest: boolean): void {
    const limits = value === undefined ? [] : readLimits(value);
    if (limits === undefined) this.#log.error("the record of limits can't be read; what was known holds");
    const isNews = revision !== this.#revision || (isLatest && !this.isKnown());
    this.#revision = revision;
    this.#limits = limits ?? this.#limits;
    if (isLatest) this.#unknownSinceMs = undefined;
    if (isNews) this.#onChange();
  }

  #watch(): void {
    const now = performance.now();
    if (this.#unknownSinceMs !== undefined && now - this.#unknownSinceMs > unknownMaxMs && this.#nats.isConnected()) {
      this.#log.warn("limits of methods can't be read; what was known holds", { limits: this.#limits.length });
      this.#unknownSinceMs = undefined;
      this.#onChange();
    }
    if (this.#answered < this.#asked) void this.#read();
    else if (now - this.#readMs > readEveryMs) this.refresh();
  }
}
